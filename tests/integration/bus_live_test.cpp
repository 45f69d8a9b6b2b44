// SPDX-License-Identifier: LGPL-2.1-or-later

/// Runs as guestctl follows them: signals, --wait, monitor, and the question before a drain.

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class GuestctlLive : public BusTest {
protected:
    /// The next run sends these signals before guestd even answers the command.
    void play(const std::function<void(Server&, RunId)>& signals) {
        guestd->on_loop([&](Server& server) {
            facade.on_run = [&server, signals](RunId run) { signals(server, run); };
        });
    }
    static void clean_run(Server& server, RunId run) {
        server.run_started(run, RunKind::drain, Trigger::manual);
        server.guest_changed(step(run, 1, "db", "shutdown"), "test:///a");
        server.guest_changed(done(run + 1, 2, "other", Outcome::failed), "test:///a");
        server.run_ended(run + 1, false);
        server.guest_changed(done(run, 1, "db", Outcome::shut_down, "asked twice"), "test:///a");
        server.run_ended(run, true);
    }
};

TEST_F(GuestctlLive, WaitsForACleanRunAndNoOther) {
    play(clean_run);
    const Finished text = guestctl({"drain", "--wait"});
    EXPECT_EQ(text.status, 0) << text.err;
    EXPECT_THAT(text.out, HasSubstr("db: shutdown\n"));
    EXPECT_THAT(text.out, HasSubstr("db: shut-down (asked twice)\n"));
    EXPECT_THAT(text.out, HasSubstr("Run 7 ended clean in "));
    EXPECT_THAT(text.out, HasSubstr(": 1 shut-down\n"));
    EXPECT_THAT(text.out, Not(HasSubstr("other")));
    const json result = json_of({"drain", "--wait"});
    EXPECT_EQ(result["run"], 8);
    EXPECT_EQ(result["clean"], true);
    ASSERT_EQ(result["guests"].size(), 1U);
    EXPECT_EQ(result["guests"][0]["outcome"], "shut-down");
    EXPECT_EQ(result["guests"][0]["uri"], "test:///a");
}

TEST_F(GuestctlLive, ExitsDifferentlyAfterAnUncleanRun) {
    play([](Server& server, RunId run) {
        server.guest_changed(done(run, 1, "db", Outcome::failed, "no disk"), "test:///a");
        server.run_ended(run, false);
    });
    const Finished text = guestctl({"boot", "--wait"});
    EXPECT_EQ(text.status, 4);
    EXPECT_THAT(text.out, HasSubstr("Run 7 ended not clean"));
    EXPECT_EQ(guestctl({"--json", "boot", "--wait"}).status, 4);
}

TEST_F(GuestctlLive, WaitsForTheRunThatIsActive) {
    EXPECT_THAT(guestctl({"wait"}).out, HasSubstr("No run is active"));
    Signpost asked;
    guestd->on_loop([&](Server&) {
        facade.status_view.active_run = RunView{.record = {.id = 12}};
        facade.on_status = [&] { asked.reach(); };
    });
    Guestctl waiting{{"wait"}};
    asked.wait();
    guestd->on_loop([&](Server& server) {
        facade.on_status = nullptr;
        server.run_ended(11, true);
        server.run_ended(12, false);
    });
    const Finished text = waiting.finish();
    EXPECT_EQ(text.status, 4) << text.err;
    EXPECT_THAT(text.out, HasSubstr("Run 12 ended not clean"));
}

TEST_F(GuestctlLive, SaysWhenGuestdGoesAwayInTheMiddle) {
    play([](Server& server, RunId run) {
        server.guest_changed(step(run, 1, "db", "shutdown"), "test:///a");
    });
    Guestctl waiting{{"drain", "--wait"}};
    ASSERT_TRUE(waiting.read_until("db: shutdown"));
    guestd.reset();
    const Finished text = waiting.finish();
    EXPECT_EQ(text.status, 3);
    EXPECT_THAT(text.err, HasSubstr("guestd went away"));
}

TEST_F(GuestctlLive, DrawsProgressOnATerminal) {
    play([&](Server& server, RunId run) {
        GuestView guest = facade.guest_views[0];
        guest.name = "db\x1b[2J";
        guest.phase = "save";
        guest.since = at(1s);
        guest.run = run;
        guest.bytes_done = {1ULL << 30};
        guest.bytes_total = {4ULL << 30};
        ProgressView view{.active = {guest}, .active_total = 5};
        view.run.record.id = run;
        view.run.record.kind = RunKind::drain;
        view.run.guests = 8;
        view.run.done = 3;
        facade.progress_view = view;
        server.progress_changed();
    });
    Guestctl waiting{{"drain", "--wait", "--yes"}, 100};
    ASSERT_TRUE(waiting.read_until("and 4 more"));
    guestd->on_loop([&](Server& server) {
        server.guest_changed(done(7, 2, "web", Outcome::saved), "test:///a");
        server.run_ended(7, true);
    });
    const Finished text = waiting.finish();
    EXPECT_EQ(text.status, 0) << text.err;
    EXPECT_THAT(text.out, HasSubstr("3 of 8 done"));
    EXPECT_THAT(text.out, HasSubstr("████░░░░░░░░░░░░"));  // a quarter of 16 columns
    EXPECT_THAT(text.out, HasSubstr("1 GiB of 4 GiB"));
    EXPECT_THAT(text.out, HasSubstr("db\\x1b[2J"));
    EXPECT_THAT(text.out, Not(HasSubstr("db\x1b[2J")));
    EXPECT_THAT(text.out, HasSubstr("✔"));
    EXPECT_THAT(text.out, HasSubstr("\x1b[32msaved"));
}

TEST_F(GuestctlLive, AsksBeforeItStopsGuestsFromATerminal) {
    Guestctl careful{{"drain"}, 80};
    ASSERT_TRUE(careful.read_until("[y/N]"));
    careful.type("n\n");
    const Finished left = careful.finish();
    EXPECT_EQ(left.status, 1);
    EXPECT_THAT(left.err, HasSubstr("This stops 1 running guest: db."));
    settle();
    EXPECT_TRUE(facade.drains.empty());
    settle();
    Guestctl bold{{"drain"}, 80};
    ASSERT_TRUE(bold.read_until("[y/N]"));
    bold.type("y\n");
    EXPECT_EQ(bold.finish().status, 0);
    settle();
    EXPECT_EQ(facade.drains.size(), 1U);
    settle();
    const Finished sure = Guestctl{{"drain", "--yes"}, 80}.finish();
    EXPECT_THAT(sure.err, Not(HasSubstr("[y/N]")));
    settle();
    EXPECT_EQ(facade.drains.size(), 2U);
}

TEST_F(GuestctlLive, MonitorsUntilGuestdGoesAway) {
    for (const bool as_json : {false, true}) {
        // Monitor asks for the status once it listens: from there on it misses nothing.
        Signpost listening;
        guestd->on_loop([&](Server&) { facade.on_status = [&] { listening.reach(); }; });
        Guestctl monitor{as_json ? std::vector<std::string>{"--json", "monitor"}
                                 : std::vector<std::string>{"monitor"}};
        listening.wait();
        guestd->on_loop([&](Server& server) {
            facade.on_status = nullptr;
            server.run_started(1, RunKind::boot, Trigger::host_boot);
            server.guest_changed(step(1, 1, "db\n", "starting"), "test:///a");
            server.run_ended(1, false);
        });
        const std::string last = as_json ? "RunEnded" : "run 1 ended not clean\n";
        ASSERT_TRUE(monitor.read_until(last));
        guestd.reset();
        const Finished text = monitor.finish();
        EXPECT_EQ(text.status, 3);
        const std::string started =
            as_json ? R"([1,"boot","host-boot"])" : "run 1 started: boot (host-boot)";
        EXPECT_THAT(text.out, HasSubstr(started));
        EXPECT_LT(text.out.find(started), text.out.find(last));
        EXPECT_THAT(text.out, HasSubstr(as_json ? R"("db\n","starting")" : "db\\x0a: starting"));
        guestd.emplace(facade);
    }
}

TEST_F(GuestctlLive, LimitsProgressSignals) {
    Signpost later;
    guestd->on_loop([&](Server& server) {
        facade.progress_view = ProgressView{};
        for (int change = 0; change < 1000; ++change)
            server.progress_changed();
        EXPECT_EQ(facade.progress_asked, 0U);
        facade.on_progress = [&] { later.reach(); };
    });
    // None is lost: they are sent together, when their time has come.
    later.wait();
    settle();
    EXPECT_EQ(facade.progress_asked, 1U);
}

}  // namespace
}  // namespace guestd::bus::test
