// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl metrics: text that strict parsers take, whatever the guests are called.

#include <sys/stat.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using Samples = std::map<std::string, double>;

/// Families in one piece, each with its type before its first sample; no sample twice; an end.
/// Stricter than either of the formats.
Samples parse(const std::string& text) {
    static const std::regex kComment{R"(# (TYPE|UNIT|HELP) ([a-z_]+) (.+))"};
    static const std::regex kSample{
        R"re(([a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (-?[0-9.e+]+))re"};
    Samples samples;
    std::set<std::string> families;
    std::string family;
    std::istringstream lines{text};
    std::string line;
    for (; std::getline(lines, line) && line != "# EOF";) {
        std::smatch match;
        if (std::regex_match(line, match, kComment)) {
            if (match[1] == "TYPE") {
                family = match[2];
                EXPECT_EQ(match[3], "gauge") << line;
                EXPECT_TRUE(families.insert(family).second) << line;
            }
            EXPECT_EQ(match[2], family) << line;
        } else if (std::regex_match(line, match, kSample)) {
            EXPECT_EQ(match[1], family) << line;
            EXPECT_TRUE(
                samples.emplace(match[1].str() + match[2].str(), std::stod(match[3])).second)
                << line;
        } else {
            ADD_FAILURE() << "no line of a metrics text: " << line;
        }
    }
    EXPECT_EQ(line, "# EOF");
    EXPECT_FALSE(std::getline(lines, line));
    return samples;
}

class GuestctlMetrics : public BusTest {
protected:
    GuestctlMetrics() {
        guestd->on_loop([&](Server&) { remember(); });
    }

    void remember() {
        facade.status_view.resume_entries = 2;
        facade.uri_views = {{.uri = "test:///a", .connected = true, .guests = 2, .running = 1},
                            {.uri = "lxc:///x", .attempts = 7}};
        RunView drain{.record = {.id = 9,
                                 .kind = RunKind::drain,
                                 .state = RunState::finished,
                                 .started = at(100s),
                                 .ended = at(163s),
                                 .clean = false},
                      .guests = 2};
        drain.record.started_wall = WallTime{1700000000s};
        RunView older = drain;
        older.record.id = 7;
        older.record.ended = at(999s);
        RunView boot{.record = {.id = 8,
                                .kind = RunKind::boot,
                                .state = RunState::finished,
                                .started = at(0s),
                                .ended = at(50s)}};
        facade.run_views = {drain, boot, older};
        facade.run_guest_records = {row(9, 1, Outcome::saved), row(9, 2, Outcome::failed),
                                    row(8, 1, Outcome::started)};
        facade.run_guest_records[0].bytes = {640ULL << 20};
        facade.span_records = {span(9, 1, "save", 100s, 132s), span(9, 2, "save", 110s, 140s),
                               span(8, 1, "starting", 0s, 1s), span(8, 1, "starting", 10s, 12s),
                               span(8, 1, "settling", 12s, 45s)};
    }
    static RunGuestRecord row(RunId run, std::uint8_t guest, Outcome outcome) {
        return {.run = run,
                .uri = "test:///a",
                .uuid = uuid_number(guest),
                .name = guest == 1 ? "db" : "evil\"\n\\",
                .outcome = outcome};
    }
    static SpanRecord span(RunId run, std::uint8_t guest, const char* what, Duration from,
                           Duration to) {
        return {run, "test:///a", uuid_number(guest), what, at(from), at(to), ""};
    }
};

TEST_F(GuestctlMetrics, TellHowThingsAre) {
    const Finished done = guestctl({"metrics"});
    EXPECT_EQ(done.status, 0) << done.err;
    const Samples all = parse(done.out);
    const auto value = [&](const std::string& name) {
        const auto found = all.find(name);
        return found == all.end() ? -1 : found->second;
    };
    EXPECT_EQ(value("guestd_up"), 1);
    EXPECT_EQ(value("guestd_build_info{version=\"1.2.3\"}"), 1);
    EXPECT_EQ(value("guestd_degraded"), 0);
    EXPECT_EQ(value("guestd_resume_list_entries"), 2);
    EXPECT_EQ(value("guestd_uri_connected{uri=\"test:///a\"}"), 1);
    EXPECT_EQ(value("guestd_uri_connected{uri=\"lxc:///x\"}"), 0);
    EXPECT_EQ(value("guestd_uri_connect_attempts{uri=\"lxc:///x\"}"), 7);
    EXPECT_EQ(value("guestd_guests{uri=\"test:///a\",state=\"running\"}"), 1);
    EXPECT_EQ(value("guestd_guests{uri=\"test:///a\",state=\"crashed\"}"), 0);
    EXPECT_EQ(value("guestd_guests{uri=\"lxc:///x\",state=\"running\"}"), 0);
    EXPECT_EQ(value("guestd_last_run_duration_seconds{kind=\"drain\"}"), 63);
    EXPECT_EQ(value("guestd_last_run_start_timestamp_seconds{kind=\"drain\"}"), 1700000000);
    EXPECT_EQ(value("guestd_last_run_clean{kind=\"drain\"}"), 0);
    EXPECT_EQ(value("guestd_last_run_clean{kind=\"boot\"}"), 1);
    EXPECT_EQ(value("guestd_last_run_guests{kind=\"drain\",outcome=\"failed\"}"), 1);
    EXPECT_EQ(value("guestd_last_run_guests{kind=\"drain\",outcome=\"destroyed\"}"), 0);
    EXPECT_EQ(value("guestd_last_run_start_retries"), 1);
    EXPECT_EQ(value("guestd_last_drain_saved_bytes{uri=\"test:///a\"}"), 671088640);
    EXPECT_EQ(value("guestd_last_drain_save_seconds{uri=\"test:///a\"}"), 40);  // they overlap
    const std::string db = "{uri=\"test:///a\",uuid=\"" + uuid_number(1).str() + "\",guest=\"db\"}";
    EXPECT_EQ(value("guestd_guest_ready_seconds" + db), 33);
    EXPECT_EQ(value("guestd_guest_save_seconds" + db), 32);
    EXPECT_EQ(value("guestd_guest_save_seconds{uri=\"test:///a\",uuid=\"" + uuid_number(2).str() +
                    "\",guest=\"evil\\\"\\n\\\\\"}"),
              30);
}

TEST_F(GuestctlMetrics, TellOfARunUnderWay) {
    guestd->on_loop([&](Server&) {
        auto& guest = facade.guest_views[0];
        guest.run = 10;
        guest.phase = "waiting";
        guest.held_for = "a free place (max_parallel)";
        facade.status_view.degraded = "bad configuration";
        RunView active{.record = {.id = 10, .kind = RunKind::boot}, .guests = 5, .done = 3};
        facade.status_view.active_run = active;
        facade.run_views.insert(facade.run_views.begin(), active);
    });
    const Samples all = parse(guestctl({"metrics"}).out);
    EXPECT_EQ(all.at("guestd_degraded"), 1);
    EXPECT_EQ(all.at("guestd_run_active{kind=\"boot\"}"), 1);
    EXPECT_EQ(all.at("guestd_run_active{kind=\"drain\"}"), 0);
    EXPECT_EQ(all.at("guestd_active_run_guests"), 5);
    EXPECT_EQ(all.at("guestd_active_run_done_guests"), 3);
    EXPECT_EQ(all.at("guestd_held_guests{reason=\"place\"}"), 1);
    EXPECT_EQ(all.at("guestd_last_run_duration_seconds{kind=\"boot\"}"), 50);  // not the active one
}

TEST_F(GuestctlMetrics, ReplaceATextfileInOneGo) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("guestd-metrics-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const auto path = (folder / "guestd.prom").string();
    std::ofstream{path} << "old";
    std::ifstream reader{path};  // of the old file, which must stay as it is
    const Finished done = guestctl({"metrics", "--textfile", path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, "");
    std::string old;
    reader >> old;
    EXPECT_EQ(old, "old");
    std::stringstream text;
    text << std::ifstream{path}.rdbuf();
    EXPECT_EQ(parse(text.str()).at("guestd_up"), 1);
    struct stat info {};
    stat(path.c_str(), &info);
    EXPECT_EQ(info.st_mode & 07777, 0644U);

    // A guestd that is gone is told too, or the old values would say that all is well.
    guestd.reset();
    EXPECT_EQ(guestctl({"metrics", "--textfile", path}).status, 3);
    std::stringstream down;
    down << std::ifstream{path}.rdbuf();
    EXPECT_EQ(parse(down.str()), (Samples{{"guestd_up", 0}}));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder}, {}), 1);  // no drafts
    std::filesystem::remove_all(folder);
    EXPECT_EQ(guestctl({"metrics", "--textfile", "/nonexistent/x"}).status, 1);
}

}  // namespace
}  // namespace guestd::bus::test
