// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs across lives of guestd.
#include "core_lives.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using enum CallKind;

using Lives = HostOfLives;

TEST_F(Lives, an_unfinished_drain_of_this_boot_goes_on_with_its_deadline) {
    auto model = deaf();
    model.refuses_save = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(20min), destroy_step()};
    drain_for(8min);
    const auto begun = host.last_run().started;
    restart_guestd();
    ASSERT_TRUE(host.driver().machine().active_run());
    EXPECT_EQ(host.driver().machine().active_run()->run.deadline, begun + 10min);
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_LE(*host.last_run().ended, begun + 10min);
    EXPECT_EQ(host.last_run().id, 2U) << "no new run";
}

TEST_F(Lives, a_deadline_that_was_asked_for_holds_after_a_restart) {
    for (const auto& asked : {Duration{3min}, Duration{30min}}) {
        Host fresh;
        auto model = deaf();
        model.unkillable = true;
        model.refuses_save = true;
        fresh.add("web", model);
        fresh.booted_before();
        fresh.start();
        fresh.driver().send(RunRequested{RunKind::drain, Trigger::manual, asked, {}});
        fresh.run_for(1min);
        fresh.driver().kill_guestd();
        fresh.start();
        fresh.finish();
        EXPECT_EQ(*fresh.last_run().ended - fresh.last_run().started, asked);
    }
}

TEST_F(Lives, a_continued_drain_accounts_for_guests_that_stopped_meanwhile) {
    const auto web = host.add("web", obeys_after(10s));
    host.add("slow", obeys_after(1min));
    drain_for(5s);
    host.driver().kill_guestd();
    host.run_for(20s);
    host.start();
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.cause(web), HasSubstr("while guestd was away"));
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi));
}

TEST_F(Lives, a_continued_drain_adopts_its_saves) {
    GuestModel model;
    model.memory = Bytes{60ULL << 30};
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(10ms), save_for(3min), destroy_step()};
    host.world.model(web).obeys.reset();
    drain_for(20s);
    restart_guestd();
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, save));
    EXPECT_FALSE(host.entry(web)->was_paused) << "it was running before its save paused it";
}

TEST_F(Lives, outcomes_of_an_earlier_life_are_kept) {
    const auto web = host.add("web", obeys_after(1s));
    host.add("slow", obeys_after(1min));
    drain_for(10s);
    restart_guestd();
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_EQ(host.cause(web), "");
}

TEST_F(Lives, a_step_goes_on_where_it_was_however_often_guestd_dies) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.stop = {shutdown_for(30s), shutdown_for(30s), destroy_step()};
    host.policy->guests.stop.resend = 0s;
    drain_for(10s);
    restart_guestd();
    host.run_for(5s);
    restart_guestd();
    host.run_for(25s);
    restart_guestd();  // on its second step, after 41 s
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_EQ(host.asked_at(web, CallKind::destroy_graceful).count() / 1'000'000, 60);
    EXPECT_THAT(host.cause(web), HasSubstr("shutdown: no effect within 30s"));
}

TEST_F(Lives, a_drain_of_another_boot_is_only_the_resume_list) {
    const auto web = host.add("web", deaf());
    drain_for(10s);
    host.reboot();
    host.boot();
    EXPECT_EQ(state_of(2), RunState::superseded);
    EXPECT_TRUE(host.up(web));
    EXPECT_EQ(host.truth(web).boots, 1U);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Lives, a_uri_that_never_answers_again_leaves_no_guest_without_an_outcome) {
    const auto web = host.add("web", deaf());
    drain_for(10s);
    host.driver().kill_guestd();
    host.world.kill_daemon(host.uri, host.now(), kNever);
    host.run_for(1s);
    host.driver().start_guestd();
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_EQ(*host.last_run().ended - host.last_run().started, 10min);
}

TEST_F(Lives, a_continued_boot_run_does_not_start_what_came_up_and_was_stopped_by_hand) {
    const auto web = add_listed("web");
    auto model = stopped();
    model.autostart = true;
    const auto automatic = host.add("automatic", model);
    const auto slow = add_listed("slow");
    host.policy->of("slow").start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.start();
    host.run_for(10s);
    host.world.stop_by_hand(web);
    host.world.stop_by_hand(automatic);
    restart_guestd();
    host.finish();
    EXPECT_FALSE(host.up(web) || host.up(automatic));
    EXPECT_TRUE(host.up(slow));
    EXPECT_THAT(host.asked(slow), SizeIs(1));
}

TEST_F(Lives, a_continued_boot_run_does_not_start_again_what_was_settling) {
    auto model = stopped();
    model.autostart = true;
    const auto web = host.add("web", model);
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.start();
    host.run_for(10s);
    ASSERT_TRUE(host.up(web));
    host.world.stop_by_hand(web);
    host.driver().kill_guestd();
    host.start();
    host.finish();
    EXPECT_FALSE(host.up(web));
    EXPECT_EQ(host.outcome(web), Outcome::started);
}

TEST_F(Lives, a_continued_boot_run_finds_no_new_reasons) {
    GuestModel model;
    model.autostart = true;
    const auto automatic = host.add("automatic", model);  // runs already
    const auto slow = add_listed("slow");
    host.policy->of("slow").start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.start();
    host.run_for(10s);
    host.world.stop_by_hand(automatic);
    restart_guestd();
    host.finish();
    EXPECT_TRUE(host.up(slow));
    EXPECT_FALSE(host.up(automatic)) << "an admin stopped it: it stays stopped";
}

TEST_F(Lives, a_continued_boot_run_starts_the_rest) {
    for (int i = 0; i < 6; ++i)
        add_listed("g" + std::to_string(i));
    auto model = stopped();
    model.autostart = true;
    host.add("automatic", model);
    host.policy->uris.start_delay = 5s;
    host.start();
    host.run_for(12s);
    restart_guestd();
    host.finish();
    for (const auto& guest : host.world.guests()) {
        EXPECT_EQ(host.truth(guest).boots, 1U);
        EXPECT_THAT(host.asked(guest), SizeIs(1));
    }
    EXPECT_EQ(host.last_run().id, 1U);
}

TEST_F(Lives, a_continued_boot_run_still_waits_for_readiness) {
    const auto db = add_listed("db");
    const auto web = add_listed("web");
    host.policy->of("db").start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.policy->of("web").after = {"db"};
    host.start();
    host.run_for(10s);
    restart_guestd();
    host.run_for(30s);
    EXPECT_FALSE(host.up(web));
    host.finish();
    EXPECT_TRUE(host.up(web));
    EXPECT_EQ(host.outcome(db), Outcome::started);
}

TEST_F(Lives, what_a_cancelled_drain_brings_back_survives_a_restart) {
    const auto web = host.add("web", obeys_after(1s));
    const auto other = host.add("other", stopped());
    host.list(other);
    host.add("slow", deaf());
    drain_for(10s, {RunKind::drain, Trigger::manual, {}, {"web", "slow"}});
    ASSERT_FALSE(host.up(web));
    host.world.model(web).start_failures = 2;
    host.driver().send(CancelRequested{});
    host.run_for(2s);
    restart_guestd();
    host.finish();
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.up(other)) << "nobody asked for it";
}

}  // namespace
}  // namespace guestd::testing
