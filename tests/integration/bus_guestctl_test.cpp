// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl's verbs against guestd's bus code: what arrives there, what is shown, how it exits.

#include <fstream>
#include <pugixml.hpp>
#include <sstream>

#include "bus_fixture.hpp"
#include "guestd/utf8.hpp"

namespace guestd::bus::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Columns of a line without its colours; none of its characters is a wide one.
std::size_t columns_of(std::string_view line) {
    std::size_t columns = 0;
    while (!line.empty()) {
        const std::size_t length =
            line[0] == '\x1b' ? line.find('m') + 1 : decode_utf8(line).length;
        columns += line[0] == '\x1b' || line[0] == '\r' ? 0U : 1U;
        line.remove_prefix(length);
    }
    return columns;
}

class GuestctlVerbs : public BusTest {
protected:
    /// Run 3, a drain of one guest that was saved and one that was left.
    void remember_a_run() {
        RunView view;
        view.record.id = 3;
        view.record.kind = RunKind::drain;
        view.record.trigger = Trigger::reboot;
        view.record.state = RunState::finished;
        view.record.started = at(100s);
        view.record.ended = at(163s);
        view.record.deadline = at(700s);
        view.record.clean = false;
        view.guests = view.done = 2;
        view.unclean = 1;
        facade.run_views = {view};
        facade.run_guest_records = {{.run = 3,
                                     .uri = "test:///a",
                                     .uuid = uuid_number(1),
                                     .name = "db",
                                     .outcome = Outcome::saved,
                                     .started = at(100s),
                                     .ended = at(142s),
                                     .bytes = {1610612736}},
                                    {.run = 3,
                                     .uri = "test:///a",
                                     .uuid = uuid_number(2),
                                     .name = "web<&",
                                     .outcome = Outcome::left_running,
                                     .cause = "out of time"}};
        facade.span_records = {{3, "test:///a", uuid_number(1), "shutdown", at(100s), at(110s), ""},
                               {3, "test:///a", uuid_number(1), "save", at(110s), at(142s), ""}};
    }
};

TEST_F(GuestctlVerbs, ListsGuests) {
    const json all = json_of({"list"});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]["name"], "db");
    EXPECT_EQ(all[0]["state"], "running");
    EXPECT_EQ(all[1]["uuid"], uuid_number(2).str());
    EXPECT_EQ(all[1]["autostart"], true);
    EXPECT_EQ(all[1]["managed_save"], true);
    EXPECT_FALSE(all[1].contains("phase"));
    EXPECT_EQ(json_of({"list", "web"}).size(), 1U);
    const Finished none = guestctl({"list", "nobody"});
    EXPECT_EQ(none.status, 1);
    EXPECT_THAT(guestctl({"list"}).out, testing::MatchesRegex("GUEST .*\ndb  *running .*\nweb .*"));
}

TEST_F(GuestctlVerbs, SaysWhatARunDoesToAGuest) {
    guestd->on_loop([&](Server&) {
        auto& guest = facade.guest_views[0];
        guest.run = 5;
        guest.phase = "save";
        guest.since = at(10s);
        guest.step_deadline = at(20s);
        guest.attempts = 2;
        guest.bytes_done = {512ULL << 20};
        guest.bytes_total = {1ULL << 30};
        guest.held_for = "";
    });
    const json guest = json_of({"list", "db"})[0];
    EXPECT_EQ(guest["run"], 5);
    EXPECT_EQ(guest["phase"], "save");
    EXPECT_EQ(guest["since_usec"], 10'000'000);
    EXPECT_EQ(guest["step_deadline_usec"], 20'000'000);
    EXPECT_EQ(guest["attempts"], 2);
    EXPECT_EQ(guest["bytes_total"], 1ULL << 30);
    EXPECT_EQ(guest["outcome"], "pending");
    EXPECT_THAT(guestctl({"list"}).out, HasSubstr("512 MiB of 1 GiB"));
}

TEST_F(GuestctlVerbs, ShowsStatus) {
    guestd->on_loop([&](Server&) {
        remember_a_run();
        facade.status_view.degraded = "bad configuration";
        facade.status_view.active_run = facade.run_views[0];
        facade.status_view.active_run->record.state = RunState::active;
        facade.progress_view = ProgressView{.run = *facade.status_view.active_run,
                                            .active = {facade.guest_views[0]},
                                            .active_total = 1};
        facade.uri_views = {{.uri = "test:///a", .connected = true, .guests = 2, .running = 1},
                            {.uri = "lxc:///x", .reason = "refused\n"}};
        facade.status_view.warnings = {"libvirt-guests is enabled too"};
    });
    const json status = json_of({"status"});
    EXPECT_EQ(status["version"], "1.2.3");
    EXPECT_EQ(status["degraded"], "bad configuration");
    EXPECT_EQ(status["active_run"]["run"], 3);
    EXPECT_EQ(status["progress"]["active"][0]["name"], "db");
    EXPECT_EQ(status["uris"][1]["connected"], false);
    const std::string text = guestctl({"status"}).out;
    for (const char* part : {"guestd 1.2.3 - degraded", "bad configuration", "3: drain (reboot)",
                             "test:///a, 1 of 2 guests running", "lxc:///x, not connected",
                             "refused\\x0a", "libvirt-guests is enabled too"})
        EXPECT_THAT(text, HasSubstr(part));
}

TEST_F(GuestctlVerbs, PassesOnWhatIsAskedFor) {
    EXPECT_EQ(json_of({"boot", "--skip"})["run"], 7);
    EXPECT_EQ(json_of({"boot", "db", "web<&"})["run"], 8);
    EXPECT_EQ(json_of({"drain", "--trigger", "soft-reboot", "--deadline", "1min 30s", "db"})["run"],
              9);
    settle();
    ASSERT_EQ(facade.boots.size(), 2U);
    EXPECT_TRUE(facade.boots[0].skip);
    EXPECT_TRUE(facade.boots[0].selection.empty());
    EXPECT_FALSE(facade.boots[1].skip);
    EXPECT_THAT(facade.boots[1].selection, ElementsAre("db", "web<&"));
    ASSERT_EQ(facade.drains.size(), 1U);
    EXPECT_EQ(facade.drains[0].trigger, Trigger::soft_reboot);
    EXPECT_EQ(facade.drains[0].deadline, Duration{90s});
    EXPECT_THAT(facade.drains[0].selection, ElementsAre("db"));
    settle();  // what was read here comes before what the loop writes then
    EXPECT_EQ(json_of({"drain"})["run"], 10);
    settle();
    EXPECT_EQ(facade.drains[1].trigger, Trigger::manual);
    EXPECT_EQ(facade.drains[1].deadline, std::nullopt);
}

TEST_F(GuestctlVerbs, Cancels) {
    EXPECT_EQ(json_of({"cancel"})["cancelled"], true);
    EXPECT_EQ(json_of({"cancel", "12"})["cancelled"], true);
    EXPECT_EQ(guestctl({"cancel", "99"}).status, 1);
    settle();
    EXPECT_THAT(facade.cancels, ElementsAre(0U, 12U, 99U));
}

TEST_F(GuestctlVerbs, ShowsAndForgetsResumeEntries) {
    guestd->on_loop([&](Server&) {
        facade.resume_entries = {
            {.uri = "test:///a", .uuid = uuid_number(1), .name = "db", .expect_restore = true},
            {.uri = "test:///b", .uuid = uuid_number(2), .name = "twin", .last_error = "no disk"},
            {.uri = "test:///c", .uuid = uuid_number(3), .name = "twin"}};
    });
    const json entries = json_of({"resume-list"});
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0]["expect_restore"], true);
    EXPECT_EQ(entries[1]["last_error"], "no disk");
    EXPECT_EQ(guestctl({"resume-list", "--forget", "twin"}).status, 1);  // which one?
    EXPECT_EQ(guestctl({"resume-list", "--forget", "db", "--forget", "nobody"}).status, 1);
    settle();
    EXPECT_TRUE(facade.forgotten.empty());
    settle();
    json_of({"resume-list", "--forget", "db", "--forget", uuid_number(3).str()});
    settle();
    EXPECT_THAT(facade.forgotten, ElementsAre("test:///a " + uuid_number(1).str(),
                                              "test:///c " + uuid_number(3).str()));
}

TEST_F(GuestctlVerbs, ShowsHistory) {
    guestd->on_loop([&](Server&) { remember_a_run(); });
    const json runs = json_of({"history"});
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0]["clean"], false);
    EXPECT_EQ(runs[0]["ended_usec"], 163'000'000);
    EXPECT_THAT(guestctl({"history"}).out, HasSubstr("1min 3s"));
    const json run = json_of({"history", "3"});
    EXPECT_EQ(run["guests"][0]["outcome"], "saved");
    EXPECT_EQ(run["guests"][1]["cause"], "out of time");
    EXPECT_EQ(run["guests"][1]["clean"], false);
    EXPECT_THAT(guestctl({"history", "3"}).out, HasSubstr("1.5 GiB"));
    EXPECT_EQ(guestctl({"history", "4"}).status, 1);
}

TEST_F(GuestctlVerbs, DrawsARun) {
    guestd->on_loop([&](Server&) { remember_a_run(); });
    const auto path = std::filesystem::temp_directory_path() /
                      ("guestd-plot-" + std::to_string(getpid()) + ".svg");
    EXPECT_EQ(guestctl({"plot", "-o", path.string()}).status, 0);
    pugi::xml_document svg;
    EXPECT_TRUE(svg.load_file(path.c_str()));
    std::filesystem::remove(path);
    EXPECT_EQ(svg.select_nodes("//rect[starts-with(title,'save 32s')]").size(), 1U);
    EXPECT_EQ(svg.select_nodes("//text[contains(.,'web<&')]").size(), 1U);
    EXPECT_THAT(guestctl({"plot", "3"}).out, HasSubstr("<svg"));
    EXPECT_EQ(json_of({"plot"})["spans"].size(), 2U);
    EXPECT_EQ(guestctl({"plot", "-o", "/nonexistent/x.svg"}).status, 1);
}

TEST_F(GuestctlVerbs, ShowsSettingsWithTheirOrigin) {
    guestd->on_loop([&](Server&) {
        facade.setting_views = {{"shutdown.stop", "[\"save\"]", "/etc/guestd/guestd.toml:12"}};
    });
    const json shown = json_of({"show", "db", "--trigger", "ups"});
    EXPECT_EQ(shown[0]["guest"]["name"], "db");
    EXPECT_EQ(shown[0]["settings"][0]["origin"], "/etc/guestd/guestd.toml:12");
    EXPECT_EQ(shown[0]["settings"][1]["value"], uuid_number(1).str());
    EXPECT_EQ(shown[0]["settings"][1]["origin"], "ups");
    EXPECT_THAT(guestctl({"show", "db"}).out, HasSubstr("/etc/guestd/guestd.toml:12"));
    EXPECT_EQ(guestctl({"show", "nobody"}).status, 1);
}

TEST_F(GuestctlVerbs, NeverPassesOnHostileBytes) {
    const std::string evil = "evil\x1b]0;owned\x07\n\xff\u202e<b>";
    guestd->on_loop([&](Server&) {
        facade.guest_views = {{.uri = evil, .uuid = uuid_number(1), .name = evil}};
        facade.guest_views[0].run = 1;
        facade.guest_views[0].held_for = facade.guest_views[0].phase = evil;
        facade.status_view.warnings = {evil};
        facade.uri_views = {{.uri = evil, .reason = evil}};
        facade.resume_entries = {{.uri = evil, .name = evil, .last_error = evil}};
    });
    for (const char* verb : {"list", "status", "resume-list"}) {
        const Finished shown = guestctl({verb});
        EXPECT_EQ(shown.status, 0) << shown.err;
        EXPECT_THAT(shown.out, HasSubstr("evil\\x1b]0;owned\\x07\\x0a\\xff\\u202e<b>")) << verb;
        EXPECT_EQ(shown.out.find_first_of("\x1b\x07\xff"), std::string::npos) << verb;
        // JSON has escapes of its own for what D-Bus can carry.
        EXPECT_EQ(json_of({verb}).dump().find('\x1b'), std::string::npos);
    }
    EXPECT_EQ(json_of({"list"})[0]["name"], "evil\x1b]0;owned\x07\n\\xff\u202e<b>");
    EXPECT_EQ(guestctl({"list", "\xff"}).status, 2);
}

TEST_F(GuestctlVerbs, ExitsAsDocumented) {
    EXPECT_EQ(guestctl({"--help"}).status, 0);
    EXPECT_EQ(guestctl({}).status, 2);
    EXPECT_EQ(guestctl({"dance"}).status, 2);
    EXPECT_EQ(guestctl({"drain", "--trigger", "sunrise"}).status, 2);
    for (const char* span : {"soon", "0", "-5s", "5 parsecs", "9999999999999999999s"})
        EXPECT_EQ(guestctl({"drain", "--deadline", span}).status, 2) << span;
    settle();
    EXPECT_TRUE(facade.drains.empty());
    guestd->on_loop([&](Server&) { facade.error = Error{ErrorCode::refused, "not now"}; });
    const Finished refused = guestctl({"boot"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.err, "guestctl: not now\n");
    guestd.reset();
    const Finished gone = guestctl({"status"});
    EXPECT_EQ(gone.status, 3);
    EXPECT_EQ(gone.err, "guestctl: guestd is not running\n");
    bus.stop();
    EXPECT_EQ(guestctl({"status"}).status, 3);
}

TEST_F(GuestctlVerbs, FitsTheTerminal) {
    guestd->on_loop([&](Server&) {
        for (int number = 0; number < 20; ++number) {
            auto guest = facade.guest_views[0];
            guest.name = "a-guest-with-quite-a-long-name-" + std::to_string(number);
            guest.uri = "qemu+ssh://host" + std::to_string(number) + "/system";
            guest.run = 1;
            guest.phase = "waiting";
            guest.held_for = "max_parallel, which is four, and for a web server";
            facade.guest_views.push_back(guest);
        }
    });
    for (const std::uint16_t width : {std::uint16_t{40}, std::uint16_t{80}, std::uint16_t{200}}) {
        std::istringstream lines{Guestctl{{"list"}, width}.finish().out};
        std::size_t widest = 0;
        for (std::string line; std::getline(lines, line);)
            widest = std::max(widest, columns_of(line));
        EXPECT_LE(widest, width);
        EXPECT_GT(widest, std::min<std::size_t>(width, 100U) * 3 / 4);
    }
}

}  // namespace
}  // namespace guestd::bus::test
