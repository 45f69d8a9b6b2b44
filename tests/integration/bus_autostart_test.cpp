// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl autostart on a folder that stands for a host, and what an administrator sees of a boot.

#include <fstream>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class GuestctlAutostart : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "guestd-autostart-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
    }
    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text = "") {
        fs::create_directories(fs::path{root_ + path}.parent_path());
        std::ofstream{root_ + path} << text;
    }
    void enable(const char* unit) {
        write(std::string{"/etc/systemd/system/multi-user.target.wants/"} + unit);
    }
    Finished autostart(const char* verb) { return guestctl({"autostart", verb, "--root", root_}); }
    json status() {
        const Finished done = guestctl({"--json", "autostart", "status", "--root", root_});
        EXPECT_EQ(done.status, 0) << done.err;
        return json::parse(done.out);
    }

    std::string root_;
};

TEST_F(GuestctlAutostart, ShowsWhoStarts) {
    write("/etc/libvirt/qemu/autostart/db.xml");
    enable("guestd.service");
    json now = status();
    ASSERT_EQ(now["drivers"].size(), 1U);
    EXPECT_EQ(now["drivers"][0]["started_by"], "libvirt");
    EXPECT_EQ(now["drivers"][0]["flagged"], 1);
    EXPECT_EQ(now["drivers"][0]["marker"], false);
    EXPECT_EQ(now["drivers"][0]["setting"], "throttle");
    EXPECT_EQ(now["warnings"].size(), 2U);
    enable("guestd-autostart.service");
    write("/run/libvirt/qemu/autostarted");
    now = status();
    EXPECT_EQ(now["drivers"][0]["started_by"], "guestd");
    EXPECT_TRUE(now["warnings"].empty()) << now["warnings"];
    EXPECT_THAT(autostart("status").out,
                testing::MatchesRegex("DRIVER .*\nQEMU +qemu:///system +guestd +1 +there .*\n"));
}

TEST_F(GuestctlAutostart, WarnsOfARefusedConfiguration) {
    write("/etc/guestd/guestd.toml", "[boot]\nautostart = 3\n");
    write("/run/libvirt/qemu/autostarted");
    const json now = status();
    EXPECT_EQ(now["drivers"][0]["started_by"], "libvirt");
    EXPECT_FALSE(now["drivers"][0].contains("setting"));
    EXPECT_THAT(now["warnings"][0], HasSubstr("guestd.toml:2"));
    EXPECT_THAT(autostart("status").out, HasSubstr("Warning: the configuration is refused"));
}

TEST_F(GuestctlAutostart, GivesAndTakes) {
    enable("guestd.service");
    enable("guestd-autostart.service");
    const Finished given = autostart("give");
    EXPECT_EQ(given.status, 0) << given.err;
    EXPECT_THAT(given.out, HasSubstr("libvirt starts its autostart guests from the next boot on"));
    EXPECT_EQ(status()["drivers"][0]["started_by"], "libvirt");
    EXPECT_EQ(status()["drivers"][0]["setting"], "leave");
    const Finished taken = autostart("take");
    EXPECT_EQ(taken.status, 0) << taken.err;
    EXPECT_THAT(taken.out, AllOf(HasSubstr("was removed"), HasSubstr("from the next boot on")));
    EXPECT_EQ(status()["drivers"][0]["started_by"], "guestd");
    EXPECT_EQ(status()["drivers"][0]["marker"], true);
}

TEST_F(GuestctlAutostart, TakesNothingThatNobodyWouldStart) {
    const Finished disabled = autostart("take");
    EXPECT_EQ(disabled.status, 1);
    EXPECT_THAT(disabled.err, HasSubstr("guestd.service is not enabled"));
    enable("guestd.service");
    EXPECT_THAT(autostart("take").err, HasSubstr("guestd-autostart.service is not enabled"));
    EXPECT_FALSE(fs::exists(root_ + "/run"));
    write("/etc/guestd/guestd.toml", "[boot]\nautostart = \"leave\"\n");
    enable("guestd-autostart.service");
    EXPECT_THAT(autostart("take").err, HasSubstr("guestd.toml:2"));
    EXPECT_EQ(autostart("take").status, 1);
}

TEST_F(GuestctlAutostart, IsForRoot) {
    if (geteuid() != 0)
        GTEST_SKIP() << "must be root to become somebody else";
    constexpr uid_t kNobody = 65534;
    for (const char* verb : {"take", "give"}) {
        const Finished refused = Guestctl{{"autostart", verb}, 0, kNobody}.finish();
        if (refused.status == 127)
            GTEST_SKIP() << "others cannot run the guestctl of this build";
        EXPECT_EQ(refused.status, 1) << verb;
        EXPECT_THAT(refused.err, HasSubstr("only root"));
    }
    EXPECT_EQ((Guestctl{{"autostart", "status", "--root", "/"}, 0, kNobody}.finish().status), 0);
}

using GuestctlBoot = BusTest;

TEST_F(GuestctlBoot, SkipsTheRunThatIsUnderWay) {
    guestd->on_loop([&](Server&) { facade.resume_entries = {{.name = "a"}, {.name = "b"}}; });
    const Finished skipped = guestctl({"boot", "--skip"});
    EXPECT_EQ(skipped.status, 0) << skipped.err;
    EXPECT_THAT(skipped.out, AllOf(HasSubstr("Boot run 7 was ended"), HasSubstr("2 guests stay")));
    settle();
    ASSERT_EQ(facade.boots.size(), 1U);
    EXPECT_TRUE(facade.boots[0].skip);
    guestd->on_loop([&](Server&) { facade.next_run = 0; });
    const Finished none = guestctl({"boot", "--skip"});
    EXPECT_EQ(none.status, 0) << none.err;
    EXPECT_THAT(none.out, HasSubstr("No boot run is under way"));
    EXPECT_EQ(guestctl({"boot", "--skip", "db"}).status, 2);
    EXPECT_EQ(guestctl({"boot", "--skip", "--wait"}).status, 2);
    settle();
    EXPECT_EQ(facade.boots.size(), 2U);
}

TEST_F(GuestctlBoot, SaysWhoIsHeldForWhatAndWhoDoesNotAnswer) {
    guestd->on_loop([&](Server&) {
        RunView run;
        run.record.id = 4;
        run.record.state = RunState::active;
        facade.status_view.active_run = run;
        facade.uri_views = {{.uri = "test:///a", .connected = true, .since = at(1s)},
                            {.uri = "lxc:///", .since = at(1s), .reason = "no", .attempts = 12}};
        for (auto& guest : facade.guest_views) {
            guest.run = 4;
            guest.phase = "waiting";
            guest.held_for = "pool:ssd";
        }
        for (int i = 0; i < 8; ++i) {
            facade.guest_views.push_back(facade.guest_views[0]);
            facade.guest_views.back().name = "n" + std::to_string(i);
            facade.guest_views.back().held_for = "a free place";
        }
        facade.guest_views[1].phase = "settling";
    });
    const std::string text = guestctl({"status"}).out;
    EXPECT_THAT(text, HasSubstr("1 guest for pool:ssd: db\n"));
    EXPECT_THAT(text, HasSubstr("8 guests for a free place: n0, n1, n2, n3, n4, n5 and 2 more\n"));
    EXPECT_THAT(text, HasSubstr("guests running, connected for "));
    EXPECT_THAT(text,
                testing::ContainsRegex("lxc:///, not connected for [^:]+: no \\(12 attempts\\)"));
    guestd->on_loop([&](Server&) { facade.status_view.active_run->record.kind = RunKind::drain; });
    EXPECT_THAT(guestctl({"status"}).out, Not(HasSubstr("Held")));
}

}  // namespace
}  // namespace guestd::bus::test
