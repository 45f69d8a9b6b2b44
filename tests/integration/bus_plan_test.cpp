// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl plan: from files alone, and from a guestd's guests and history.

#include <fstream>
#include <pugixml.hpp>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// A folder that is gone after the test.
class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "guestd-plan-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"cannot make a folder"};
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream{path_ / name} << text;
        return path_ / name;
    }
    std::string path(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// By name, of the scenario that is expected.
json guest_in(const json& plan, const std::string& name, const char* scenario = "expected") {
    for (const auto& guest : plan[scenario]["guests"])
        if (guest["name"] == name)
            return guest;
    ADD_FAILURE() << name << " takes no part";
    return {};
}

std::int64_t seconds(const json& usec) {
    return (usec.get<std::int64_t>() + 500'000) / 1'000'000;
}

std::vector<std::string> codes(const json& plan) {
    std::vector<std::string> all;
    for (const auto& finding : plan["findings"])
        all.push_back(finding["code"]);
    return all;
}

constexpr const char* kFleet = R"(
[[guest]]
name = "db"
uuid = "01234567-89ab-cdef-0123-456789abcdef"
memory = "4GiB"
shutdown_time = "40s"
ready_time = "1min"
has_agent = true
[[guest]]
name = "web"
shutdown_time = 5
metadata = '<policy xmlns="urn:guestd:policy:1"><set key="after" value="db"/></policy>'
[[guest]]
name = "saved"
memory = "2GiB"
[[guest]]
name = "off"
state = "shut off"
[[uri]]
uri = "qemu:///system"
save_rate = "64MiB"
)";

constexpr const char* kConfig = R"(
[shutdown]
deadline = "20min"
[[guest]]
uuid = "01234567-89ab-cdef-0123-456789abcdef"
shutdown.stop = ["shutdown 2min", "destroy"]
[[guest]]
name = "saved"
shutdown.stop = ["save 2min", "destroy"]
[[guest]]
name = "nobody"
priority = 1
)";

class GuestctlPlan : public BusTest {
protected:
    GuestctlPlan() {
        fleet = folder.write("fleet.toml", kFleet);
        config = folder.write("guestd.toml", kConfig);
    }
    json plan_of(const char* kind, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"plan", kind, "--fleet", fleet, "--config", config};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return json_of(arguments);
    }

    Folder folder;
    std::string fleet;
    std::string config;
};

TEST_F(GuestctlPlan, NeedsNoGuestdButAFleet) {
    guestd.reset();
    bus.stop();
    const json plan = plan_of("drain");
    EXPECT_EQ(plan["kind"], "drain");
    EXPECT_EQ(plan["expected"]["guests"].size(), 3U);
    EXPECT_EQ(seconds(plan["expected"]["length_usec"]), 45);
    EXPECT_EQ(seconds(plan["expected"]["deadline_usec"]), 1200);
    EXPECT_EQ(seconds(guest_in(plan, "db")["begin_usec"]), 5);  // after web, by its metadata
    EXPECT_EQ(guest_in(plan, "saved")["outcome"], "saved");
    EXPECT_EQ(seconds(guest_in(plan, "saved")["end_usec"]), 32);
    EXPECT_EQ(guest_in(plan, "db", "worst")["outcome"], "destroyed");  // its ladder, by its UUID
    EXPECT_EQ(plan["expected"]["chain"][1]["name"], "db");
    EXPECT_EQ(plan["expected"]["bottleneck"]["what"], "shutdown");
    EXPECT_THAT(codes(plan), Contains("matches-nothing"));
    const json boot = plan_of("boot");
    EXPECT_EQ(guest_in(boot, "saved")["outcome"], "restored");
    EXPECT_EQ(guest_in(boot, "web")["outcome"], "started");
    EXPECT_EQ(seconds(guest_in(boot, "web")["begin_usec"]), 61);
}

TEST_F(GuestctlPlan, ShowsItToPeopleAndAsAPicture) {
    const Finished shown = guestctl({"plan", "drain", "--fleet", fleet, "--config", config});
    EXPECT_EQ(shown.status, 0) << shown.err;
    for (const char* part : {"Drain (reboot) of 3 guests: 45s expected", "deadline 20min",
                             "shutdown 40s", "db, after web", "Most of it: shutdown of db, 40s",
                             "Would not make it, at worst:\n", "nobody matches no guest"})
        EXPECT_THAT(shown.out, HasSubstr(part));
    const auto svg = folder.path("plan.svg");
    EXPECT_EQ(guestctl({"plan", "drain", "--fleet", fleet, "--config", config, "--svg", svg}).out,
              "");
    pugi::xml_document picture;
    EXPECT_TRUE(picture.load_file(svg.c_str()));
    EXPECT_EQ(picture.select_nodes("//rect[starts-with(title,'shutdown 40s')]").size(), 1U);
    EXPECT_EQ(picture.select_nodes("//rect[title='on the longest chain']").size(), 2U);
}

TEST_F(GuestctlPlan, ExitsWithFourWhenSomebodyWouldNotMakeIt) {
    const Finished shown = guestctl(
        {"--json", "plan", "drain", "--fleet", fleet, "--config", config, "--deadline", "30s"});
    EXPECT_EQ(shown.status, 4) << shown.err;
    const json plan = json::parse(shown.out);
    EXPECT_EQ(guest_in(plan, "db")["late"], true);
    EXPECT_EQ(guest_in(plan, "web")["late"], false);
    EXPECT_THAT(codes(plan), Contains("ladder-over-deadline"));
}

TEST_F(GuestctlPlan, ReadsWhatListPrints) {
    const std::string listed = folder.write("list.json", guestctl({"--json", "list"}).out);
    const json plan = json_of({"plan", "boot", "--fleet", listed, "--config", config});
    EXPECT_EQ(guest_in(plan, "db")["uri"], "test:///a");
    EXPECT_EQ(guest_in(plan, "db")["uuid"], uuid_number(1).str());
    EXPECT_EQ(guest_in(plan, "web")["outcome"], "restored");  // autostart, and has an image
}

TEST_F(GuestctlPlan, SaysWhatIsWrongWithAFile) {
    const std::pair<const char*, const char*> wrong[] = {
        {"[[guest]]\nnam = \"x\"", "guest 1: unknown key 'nam'"},
        {"[[guest]]\nname = 5", "'name' is not a text"},
        {"[[guest]]\nname = \"x\"\nmemory = \"4 parsecs\"", "'memory': "},
        {"[[guest]]\nname = \"x\"\nstate = \"asleep\"", "unknown state 'asleep'"},
        {"[[guest]]\nname = \"x\"\nuuid = \"1\"", "'1' is no UUID"},
        {"[[guest]]\nmemory = 5", "it has no name"},
        {"[[guest]\n", "fleet:1"},
        {"[{\"name\": \"a\"}, 5]", "guest 2: it is not a table"},
        {"{\"guests\": []}", "unknown key 'guests'"},
        {"{\"guest\": [", "parse error"},
        {"[[uri]]\nuri = \"x\"\nrate = 5", "unknown key 'rate'"},
    };
    for (const auto& [text, complaint] : wrong) {
        const Finished done = guestctl({"plan", "drain", "--fleet", folder.write("fleet", text)});
        EXPECT_EQ(done.status, 1) << text;
        EXPECT_THAT(done.err, HasSubstr(complaint)) << text;
    }
    const Finished bad = guestctl(
        {"plan", "drain", "--fleet", fleet, "--config", folder.write("c.toml", "[daemon]\nx = 1")});
    EXPECT_EQ(bad.status, 1);
    EXPECT_THAT(bad.err, HasSubstr("c.toml:2:1"));
    EXPECT_EQ(guestctl({"plan", "drain", "--fleet", "/nonexistent"}).status, 1);
    EXPECT_EQ(guestctl({"plan", "sideways", "--fleet", fleet}).status, 2);
    EXPECT_EQ(guestctl({"plan", "drain", "--trigger", "sunrise", "--fleet", fleet}).status, 2);
}

TEST_F(GuestctlPlan, UsesGuestsAndHistoryOfGuestd) {
    guestd->on_loop([&](Server&) {
        RunView drain{.record = {.id = 4, .kind = RunKind::drain, .started = at(100s)}};
        RunView boot{.record = {.id = 3, .kind = RunKind::boot, .started = at(0s)}};
        facade.run_views = {drain, boot};
        const auto row = [&](RunId run, std::uint8_t guest, Outcome outcome, Bytes bytes = {}) {
            facade.run_guest_records.push_back({.run = run,
                                                .uri = "test:///a",
                                                .uuid = uuid_number(guest),
                                                .outcome = outcome,
                                                .bytes = bytes});
        };
        const auto span = [&](RunId run, std::uint8_t guest, const char* what, Duration from,
                              Duration to) {
            facade.span_records.push_back(
                {run, "test:///a", uuid_number(guest), what, at(from), at(to), ""});
        };
        row(4, 1, Outcome::shut_down);
        span(4, 1, "waiting", 100s, 105s);
        span(4, 1, "shutdown", 105s, 142s);
        row(4, 2, Outcome::saved, {640ULL << 20});  // two saves at the same time: 64 MiB/s
        span(4, 2, "save", 100s, 110s);
        row(3, 1, Outcome::started);
        span(3, 1, "starting", 1s, 4s);
        span(3, 1, "settling", 4s, 95s);
        facade.guest_views[1] = {.uri = "test:///a",
                                 .uuid = uuid_number(2),
                                 .name = "web",
                                 .state = GuestState::shutoff};
        facade.resume_entries = {{.uri = "test:///a", .uuid = uuid_number(2), .name = "web"}};
        facade.guest_views[0].memory = {1ULL << 30};
        facade.status_view.warnings = {"libvirt-guests is enabled too"};
    });
    const json drain = json_of({"plan", "drain", "--config", config});
    EXPECT_EQ(drain["expected"]["guests"].size(), 1U);
    EXPECT_EQ(seconds(drain["expected"]["length_usec"]), 37);
    EXPECT_THAT(codes(drain), Contains("conflict"));
    EXPECT_THAT(codes(drain), testing::Not(Contains("memory-assumed")));
    const json boot = json_of({"plan", "boot", "--config", config});
    EXPECT_EQ(seconds(guest_in(boot, "db")["end_usec"]), 3 + 91);
    EXPECT_EQ(guest_in(boot, "web")["outcome"], "started");  // waits on the resume list
    guestd.reset();
    EXPECT_EQ(guestctl({"plan", "drain"}).status, 3);
}

TEST_F(GuestctlPlan, UsesTheMetadataOfGuestdsGuests) {
    guestd->on_loop([&](Server&) {
        for (auto& guest : facade.guest_views)
            guest.state = GuestState::running;
    });
    const auto begin_of_db = [&] {
        return seconds(
            guest_in(json_of({"plan", "drain", "--config", config}), "db")["begin_usec"]);
    };
    EXPECT_EQ(begin_of_db(), 0);
    guestd->on_loop([&](Server&) {
        const auto& web = facade.guest_views[1];
        facade.metadata_views = {
            {web.uri, web.uuid,
             R"(<policy xmlns="urn:guestd:policy:1"><set key="after" value="db"/></policy>)"}};
    });
    EXPECT_EQ(begin_of_db(), 20) << "after web, of whose time nothing is known";
    // Without it there is a plan all the same.
    guestd->on_loop([&](Server&) { facade.metadata_error = Error{ErrorCode::refused, "not now"}; });
    EXPECT_EQ(begin_of_db(), 0);
    const json plan = json_of({"plan", "drain", "--config", config});
    std::vector<std::string> untold;
    for (const auto& finding : plan["findings"])
        if (finding["code"] == "metadata-unknown") {
            EXPECT_THAT(finding["text"], HasSubstr("not now"));
            untold.insert(untold.end(), finding["guests"].begin(), finding["guests"].end());
        }
    EXPECT_THAT(untold, testing::ElementsAre("db", "web"));
}

TEST_F(GuestctlPlan, AsksForMuchMetadataInParts) {
    const auto of = [](std::uint8_t number, std::size_t length) {
        return MetadataView{
            "test:///a", uuid_number(number),
            R"(<policy xmlns="urn:guestd:policy:1"><set key="after" value="g3"/><!--)" +
                std::string(length, 'x') + "--></policy>"};
    };
    guestd->on_loop([&](Server&) {
        facade.guest_views.clear();
        for (std::uint8_t number = 1; number <= 12; ++number) {
            facade.guest_views.push_back({.uri = "test:///a",
                                          .uuid = uuid_number(number),
                                          .name = "g" + std::to_string(number),
                                          .state = GuestState::running});
            if (number != 3)
                facade.metadata_views.push_back(of(number, kMostMetadata / 9));
        }
    });
    const json plan = json_of({"plan", "drain", "--config", config});
    EXPECT_EQ(seconds(guest_in(plan, "g3")["begin_usec"]), 20) << "the others' is known";
    EXPECT_THAT(codes(plan), testing::Not(Contains("metadata-unknown")));
    guestd->on_loop([&](Server&) {
        EXPECT_THAT(facade.metadata_asked, testing::ElementsAre(12U, 6U, 6U));
        facade.metadata_asked.clear();
        facade.metadata_views.clear();
        facade.guest_views.resize(501, facade.guest_views.back());
    });
    EXPECT_EQ(json_of({"plan", "boot", "--config", config})["kind"], "boot");
    guestd->on_loop([&](Server&) {
        EXPECT_THAT(facade.metadata_asked, testing::ElementsAre(500U, 1U))
            << "few questions for many guests with little";
    });
}

}  // namespace
}  // namespace guestd::bus::test
