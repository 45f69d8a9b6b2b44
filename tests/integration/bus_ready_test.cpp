// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl wait --ready: what it makes of what guestd says, and when it looks.

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kBoot = "boot-1";

class GuestctlReady : public BusTest {
protected:
    GuestctlReady() {
        guestd->on_loop([&](Server&) { facade.status_view.boot_id = kBoot; });
    }

    static RunView run_view(RunId id, RunState state, Trigger trigger = Trigger::host_boot) {
        RunView view;
        view.record.id = id;
        view.record.kind = RunKind::boot;
        view.record.trigger = trigger;
        view.record.state = state;
        view.record.boot_id = kBoot;
        return view;
    }
    RunGuestRecord row(RunId run, std::uint8_t guest, const char* name, Outcome outcome,
                       const char* cause = "") const {
        return {.run = run,
                .uri = "test:///a",
                .uuid = uuid_number(guest),
                .name = name,
                .outcome = outcome,
                .cause = cause,
                .ended = at(9s)};
    }
    /// Boot run 4 is over; db came up, and web as said.
    void boot_is_over(Outcome web, const char* cause = "") {
        facade.status_view.active_run.reset();
        facade.status_view.last_run = run_view(4, RunState::finished);
        facade.run_views = {*facade.status_view.last_run};
        facade.run_guest_records = {row(4, 1, "db", Outcome::started),
                                    row(4, 2, "web", web, cause)};
        for (auto& guest : facade.guest_views)
            guest.run = 0;
    }
    /// Boot run 4 has db and web to bring up.
    void boot_is_under_way() {
        facade.status_view.active_run = run_view(4, RunState::active);
        for (auto& guest : facade.guest_views) {
            guest.run = 4;
            guest.phase = "settling";
            guest.outcome = Outcome::pending;
        }
        facade.guest_views[1].state = GuestState::running;
    }
    Finished ready(std::vector<std::string> arguments = {}) {
        arguments.insert(arguments.begin(), {"wait", "--ready"});
        return guestctl(arguments);
    }
    /// Runs until guestctl has asked for the status `looks` times.
    struct Waiting {
        explicit Waiting(GuestctlReady& test, const std::vector<std::string>& arguments)
            : test_(test) {
            test.guestd->on_loop(
                [&](Server&) { test.facade.on_status = [this] { looked_.reach(); }; });
            auto all = arguments;
            all.insert(all.begin(), {"wait", "--ready"});
            guestctl_.emplace(all);
            looked_.wait();
            // It is answered after this; whatever it asks for next, it finds what it found before.
            test.guestd->on_loop([&](Server&) { test.facade.on_status = nullptr; });
        }
        Finished finish() { return guestctl_->finish(); }

        GuestctlReady& test_;
        Signpost looked_;
        std::optional<Guestctl> guestctl_;
    };
};

TEST_F(GuestctlReady, IsSatisfiedWithARunThatIsOver) {
    guestd->on_loop([&](Server&) { boot_is_over(Outcome::restored); });
    const Finished all = ready();
    EXPECT_EQ(all.status, 0) << all.err;
    EXPECT_EQ(all.out, "2 guests are ready.\n");
    EXPECT_EQ(ready({"db"}).status, 0);
    const json told = json_of({"wait", "--ready"});
    EXPECT_EQ(told["readiness"], "ready");
    EXPECT_EQ(told["guests"][1]["name"], "web");
    EXPECT_EQ(told["guests"][1]["readiness"], "ready");
}

TEST_F(GuestctlReady, NamesWhoFailedAndWhy) {
    guestd->on_loop([&](Server&) { boot_is_over(Outcome::failed, "no disk\x1b[2J"); });
    const Finished all = ready();
    EXPECT_EQ(all.status, 1);
    EXPECT_EQ(all.err, "guestctl: web: failed: no disk\\x1b[2J\n");
    EXPECT_EQ(all.out, "");
    EXPECT_EQ(ready({"web"}).err, all.err);
    EXPECT_EQ(ready({"db"}).status, 0);
    // Also of one that runs, and was not ready in time.
    guestd->on_loop([&](Server&) { facade.guest_views[1].state = GuestState::running; });
    EXPECT_EQ(ready({"web"}).status, 1);
}

TEST_F(GuestctlReady, LooksAtLaterRunsToo) {
    guestd->on_loop([&](Server&) {
        boot_is_over(Outcome::failed, "no disk");
        facade.run_views.insert(facade.run_views.begin(),
                                run_view(6, RunState::finished, Trigger::manual));
        facade.run_guest_records.push_back(row(6, 2, "web", Outcome::started));
        facade.guest_views[1].state = GuestState::running;
    });
    EXPECT_EQ(ready().status, 0);
    EXPECT_EQ(ready({"web"}).status, 0);
    guestd->on_loop([&](Server&) { facade.run_guest_records[2].outcome = Outcome::failed; });
    EXPECT_EQ(ready({"web"}).status, 1);
    guestd->on_loop([&](Server&) {
        facade.run_guest_records[2].outcome = Outcome::started;
        facade.run_guest_records[2].ended.reset();  // up, and not yet known to be ready
    });
    EXPECT_EQ(ready({"web"}).status, 1);
    guestd->on_loop([&](Server&) {
        facade.run_guest_records[2] = row(6, 1, "db", Outcome::failed);  // and it still runs
    });
    EXPECT_EQ(ready({"db"}).status, 0);
}

TEST_F(GuestctlReady, MindsWhoWasStoppedSinceOnlyByName) {
    guestd->on_loop([&](Server&) { boot_is_over(Outcome::started); });
    EXPECT_EQ(ready().status, 0);  // web is shut off by now
    const Finished web = ready({"web"});
    EXPECT_EQ(web.status, 1);
    EXPECT_THAT(web.err, HasSubstr("web: it was started, and is shut off now"));
}

TEST_F(GuestctlReady, TellsWhoIsNotStartedAtAll) {
    guestd->on_loop([&](Server&) {
        boot_is_over(Outcome::started);
        facade.run_guest_records.clear();
    });
    EXPECT_EQ(ready().out, "There was no guest to start.\n");
    EXPECT_EQ(ready({"db"}).status, 0);  // runs, whoever started it
    EXPECT_THAT(ready({"web"}).err, HasSubstr("web: the boot run does not start it"));
    EXPECT_EQ(ready({"web"}).status, 1);
}

TEST_F(GuestctlReady, TellsPolicyFromACancelledRun) {
    guestd->on_loop([&](Server&) { boot_is_over(Outcome::skipped, "start.policy is \"never\""); });
    EXPECT_EQ(ready().status, 0);
    EXPECT_EQ(ready({"web"}).status, 1);
    guestd->on_loop([&](Server&) { facade.run_views[0].record.state = RunState::cancelled; });
    EXPECT_EQ(ready().status, 1);
}

TEST_F(GuestctlReady, FailsInASafeBoot) {
    guestd->on_loop([&](Server&) {
        facade.run_views = {run_view(3, RunState::finished)};
        facade.run_views[0].record.boot_id = "another boot";
        facade.run_guest_records = {row(3, 2, "web", Outcome::started)};
    });
    const Finished all = ready();
    EXPECT_EQ(all.status, 1);
    EXPECT_THAT(all.err, HasSubstr("safe boot"));
    EXPECT_THAT(ready({"web"}).err, HasSubstr("safe boot"));
    EXPECT_EQ(ready({"db"}).status, 0);
    // A soft reboot keeps the boot id.
    guestd->on_loop([&](Server&) {
        facade.run_views[0].record.boot_id = kBoot;
        facade.run_views.insert(facade.run_views.begin(),
                                run_view(5, RunState::finished, Trigger::soft_reboot));
        facade.run_views[0].record.kind = RunKind::drain;
    });
    EXPECT_EQ(ready().status, 1);
}

TEST_F(GuestctlReady, WaitsForTheEndOfTheRun) {
    guestd->on_loop([&](Server&) { boot_is_under_way(); });
    Waiting waiting{*this, {}};
    guestd->on_loop([&](Server& server) {
        boot_is_over(Outcome::started);
        server.run_ended(4, true);
    });
    const Finished done = waiting.finish();
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, "2 guests are ready.\n");
}

TEST_F(GuestctlReady, WaitsForNoMoreThanItWasAskedFor) {
    guestd->on_loop([&](Server&) { boot_is_under_way(); });
    Waiting waiting{*this, {"db"}};
    guestd->on_loop([&](Server& server) {
        facade.guest_views[0].outcome = Outcome::started;
        server.guest_changed(done(4, 1, "db", Outcome::started), "test:///a");
    });
    const Finished done = waiting.finish();
    EXPECT_EQ(done.status, 0) << done.err;
    guestd->on_loop([&](Server&) {
        facade.guest_views[0].outcome = Outcome::failed;
        facade.guest_views[0].cause = "not ready";
    });
    EXPECT_THAT(ready({"db"}).err, HasSubstr("db: failed: not ready"));
}

TEST_F(GuestctlReady, GivesUpWhenItsTimeIsUp) {
    guestd->on_loop([&](Server&) {
        boot_is_under_way();
        facade.guest_views[1].held_for = "pool:ssd";
        facade.guest_views[1].phase = "waiting";
        facade.guest_views[0].outcome = Outcome::started;
    });
    const Finished named = ready({"web", "db", "--timeout", "1ms"});
    EXPECT_EQ(named.status, 5);
    EXPECT_EQ(named.err, "guestctl: web: not ready in time: waiting: held for pool:ssd\n");
    const Finished all = ready({"--timeout", "1ms"});
    EXPECT_EQ(all.status, 5);
    EXPECT_THAT(all.err, HasSubstr("not in time: the boot run"));
    EXPECT_EQ(ready({"--timeout", "soon"}).status, 2);
    EXPECT_EQ(guestctl({"wait", "--timeout", "1s"}).status, 2);
    EXPECT_EQ(guestctl({"wait", "db"}).status, 2);
}

TEST_F(GuestctlReady, WaitsForGuestd) {
    guestd.reset();
    EXPECT_EQ(ready({"--timeout", "1ms"}).status, 5);
    Guestctl waiting{{"wait", "--ready"}};
    // However far it has got by now: it finds guestd, or hears it come.
    boot_is_over(Outcome::started);
    facade.status_view.boot_id = kBoot;
    guestd.emplace(facade);
    const Finished done = waiting.finish();
    EXPECT_EQ(done.status, 0) << done.err;
}

TEST_F(GuestctlReady, SurvivesARestartOfGuestd) {
    guestd->on_loop([&](Server&) { boot_is_under_way(); });
    Waiting waiting{*this, {}};
    guestd.reset();
    boot_is_over(Outcome::started);
    guestd.emplace(facade);
    const Finished done = waiting.finish();
    EXPECT_EQ(done.status, 0) << done.err;
}

TEST_F(GuestctlReady, WaitsForARecordThatIsNotOnTheDiskYet) {
    guestd->on_loop([&](Server&) {
        boot_is_over(Outcome::started);
        facade.run_views[0].record.state = RunState::active;
        facade.run_guest_records[1].ended.reset();
        facade.guest_views[1].state = GuestState::running;
    });
    EXPECT_EQ(ready({"--timeout", "1ms"}).status, 5);
    EXPECT_EQ(ready({"web", "--timeout", "1ms"}).status, 5);
    EXPECT_EQ(ready({"db", "--timeout", "1ms"}).status, 0);
    guestd->on_loop([&](Server&) { facade.run_views.clear(); });
    EXPECT_EQ(ready({"--timeout", "1ms"}).status, 5);
    Waiting waiting{*this, {}};
    guestd->on_loop([&](Server&) { boot_is_over(Outcome::started); });  // no signal tells
    EXPECT_EQ(waiting.finish().status, 0);
}

TEST_F(GuestctlReady, WaitsForAHypervisorThatMayHaveTheGuest) {
    guestd->on_loop([&](Server&) {
        boot_is_over(Outcome::started);
        facade.uri_views = {{.uri = "test:///a", .connected = true}, {.uri = "lxc:///"}};
    });
    const Finished early = ready({"late", "db", "--timeout", "1ms"});
    EXPECT_EQ(early.status, 5);
    EXPECT_THAT(early.err, HasSubstr("late: not ready in time: a hypervisor"));
    EXPECT_THAT(early.err, Not(HasSubstr("db")));
    guestd->on_loop([&](Server&) { facade.uri_views[1].connected = true; });
    const Finished none = ready({"late"});
    EXPECT_EQ(none.status, 1);
    EXPECT_EQ(none.err, "guestctl: late: there is no such guest\n");
}

}  // namespace
}  // namespace guestd::bus::test
