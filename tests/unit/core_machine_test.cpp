// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs among each other, across lives of guestd, and entries without a run.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum CallKind;

const RunRequested kManual{RunKind::drain, Trigger::manual, {}, {}};
const RunRequested kPoweroff{RunKind::drain, Trigger::poweroff, {}, {}};

struct Lives : ::testing::Test {
    Host host;
    GuestId add_listed(const std::string& name, GuestModel model = stopped()) {
        const auto id = host.add(name, model);
        host.list(id);
        return id;
    }
    void drain_for(Duration time, const RunRequested& request = kPoweroff) {
        host.booted_before();
        host.start();
        host.driver().send(request);
        host.run_for(time);
    }
    void restart_guestd() {
        host.driver().kill_guestd();
        host.start();
    }
    RunState state_of(RunId run) { return host.store.runs.at(run).state; }
};

TEST_F(Lives, a_drain_supersedes_a_boot_run) {
    const auto web = add_listed("web");
    const auto db = add_listed("db");
    host.policy->uris.start_delay = 1min;
    host.start();
    host.run_for(5s);
    host.drain();
    EXPECT_EQ(state_of(1), RunState::superseded);
    EXPECT_EQ(state_of(2), RunState::finished);
    EXPECT_FALSE(host.up(web) || host.up(db));
    EXPECT_TRUE(host.on_list(web) && host.on_list(db)) << "the one not yet started stays listed";
    EXPECT_EQ(host.truth(web).boots + host.truth(db).boots, 1U);
}

TEST_F(Lives, a_drain_of_some_guests_does_not_end_a_boot_run) {
    add_listed("web");
    add_listed("db");
    host.policy->uris.start_delay = 1min;
    host.start();
    host.run_for(5s);
    auto some = kManual;
    some.selection = {"web"};
    EXPECT_NE(host.driver().machine().refusal(some), std::nullopt);
    EXPECT_EQ(host.driver().machine().refusal(kManual), std::nullopt);
    some.trigger = Trigger::ups;
    EXPECT_EQ(host.driver().machine().refusal(some), std::nullopt);
}

TEST_F(Lives, a_boot_run_that_waits_for_a_silent_uri_stands_aside_and_goes_on) {
    sim::UriModel late;
    late.uri = "lxc:///system";
    late.answers_from = TimePoint{90s};
    const auto box = host.add(host.world.add_uri(late), "box", stopped());
    host.list(box);
    const auto web = add_listed("web");
    host.start();
    host.run_for(1min);
    ASSERT_TRUE(host.driver().machine().active_run());
    auto some = kManual;
    some.selection = {"web"};
    ASSERT_EQ(host.driver().machine().refusal(some), std::nullopt);
    host.world.model(web).obeys = 1min;  // the URI answers meanwhile
    host.driver().send(some);
    host.run_for(5min);
    EXPECT_FALSE(host.up(web));
    EXPECT_TRUE(host.up(box));
    EXPECT_EQ(state_of(1), RunState::finished);
}

TEST_F(Lives, a_host_going_down_takes_over_a_manual_drain_and_its_saves) {
    GuestModel model;
    model.memory = Bytes{60ULL << 30};
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {save_for(3min), destroy_step()};
    drain_for(10s, kManual);
    EXPECT_EQ(host.driver().machine().refusal(kPoweroff), std::nullopt);
    EXPECT_NE(host.driver().machine().refusal(kManual), std::nullopt);
    host.driver().send(kPoweroff);
    host.run_for(1s);
    host.finish();
    EXPECT_EQ(state_of(2), RunState::superseded);
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(save)) << "neither aborted nor doubled";
    EXPECT_FALSE(host.entry(web)->was_paused);
}

TEST_F(Lives, the_result_of_an_abandoned_call_is_ignored) {
    auto model = deaf();
    model.agent = sim::Agent::hangs;  // returns `refused` after 60 s
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(25s, ShutdownMode::agent),
                                     shutdown_for(2min, ShutdownMode::acpi), destroy_step()};
    host.drain();
    EXPECT_THAT(host.commands<AbandonCall>(), SizeIs(1));
    EXPECT_GE(host.asked_at(web, destroy_graceful), 2min + 25s) << "it refused nothing";
}

TEST_F(Lives, what_an_unknown_call_read_is_ignored) {
    const auto web = host.add("web", deaf());
    drain_for(1s);
    host.driver().send(
        CallReturned{.id = 999,
                     .guest = web,
                     .observed = GuestInfo{.uuid = web.uuid, .state = GuestState::shutoff}});
    host.run_for(1s);
    EXPECT_THAT(host.notices(NoticeKind::guest_done), IsEmpty());
    EXPECT_EQ(host.driver().machine().uris()[0].guests[0].state, GuestState::running);
}

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

TEST_F(Lives, a_poweroff_does_not_wind_back_the_clock_of_a_battery) {
    Host fresh;
    auto model = deaf();
    model.unkillable = true;
    model.refuses_save = true;
    fresh.add("web", model);
    fresh.booted_before();
    fresh.start();
    fresh.driver().send(RunRequested{RunKind::drain, Trigger::ups, Duration{90s}, {}});
    fresh.run_for(60s);
    fresh.driver().send(kPoweroff);
    fresh.finish();
    EXPECT_EQ(fresh.last_run().trigger, Trigger::poweroff);
    EXPECT_EQ(*fresh.last_run().ended - fresh.last_run().started, Duration{30s});
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

TEST_F(Lives, an_entry_is_dropped_when_somebody_starts_its_guest) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    EXPECT_TRUE(host.on_list(web));
    host.world.start_by_hand(web);
    host.run_for(1s);
    EXPECT_FALSE(host.on_list(web));
}

TEST(DefinedAgain, and_started_at_once_a_guest_leaves_the_list) {
    sim::UriModel model;
    model.latency = 300ms;
    Host host{model};
    const auto web = host.add("web", stopped());
    host.list(web);
    host.booted_before();
    host.start();
    host.driver().send(GuestChanged{web, Lifecycle::defined, "web", true});
    host.run_for(100ms);  // the look at its definition is on its way
    host.world.start_by_hand(web);
    host.run_for(2s);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Lives, an_entry_is_dropped_when_its_guest_was_started_while_guestd_was_away) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    host.driver().kill_guestd();
    host.world.start_by_hand(web);
    host.start();
    host.run_for(1s);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Lives, an_entry_is_not_dropped_on_an_event_alone) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    host.driver().send(GuestChanged{web, Lifecycle::booted, "web", true});
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Lives, an_entry_of_a_failed_guest_is_dropped_when_somebody_starts_it_during_the_run) {
    const auto web = add_listed("web");
    const auto slow = add_listed("slow");
    host.world.model(web).start_failures = 5;
    host.policy->of("slow").start.ready = {Probe{.kind = ProbeKind::delay, .span = 2min}};
    host.policy->guests.start.ready_timeout = 10min;
    host.policy->guests.start.retry = {.attempts = 1, .backoff = 5s, .max_backoff = 5s};
    host.policy->of("slow").start.ready_timeout = 10min;
    host.start();
    host.run_for(10s);
    ASSERT_TRUE(host.on_list(web));
    host.world.start_by_hand(web);
    host.run_for(1s);
    EXPECT_FALSE(host.on_list(web));
    ASSERT_TRUE(host.driver().machine().active_run());
    (void)slow;
}

TEST_F(Lives, a_guest_started_after_the_drain_of_a_host_that_goes_down_stays_listed) {
    const auto web = host.add("web");
    host.drain();
    host.world.start_by_hand(web);
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web)) << "it goes down with the host";
}

TEST_F(Lives, after_the_drain_of_a_host_that_goes_down_the_list_is_left_alone) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {leave_step()};
    host.drain();
    host.world.cut(host.uri, host.now(), host.now() + 1s);
    host.driver().send(GuestChanged{web, Lifecycle::booted, "web", true});
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Lives,
       a_guest_left_running_stays_listed_when_guestd_is_started_again_before_the_host_is_down) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {leave_step()};
    host.drain();
    restart_guestd();
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web));
}

TEST(LateReading, of_a_guest_that_a_drain_failed_to_stop_in_time_settles_nothing) {
    sim::UriModel model;
    model.latency = 4s;
    Host host{model};
    GuestModel large;
    large.memory = Bytes{100ULL << 30};
    const auto web = host.add("web", large);
    host.policy->guests.stop.stop = {save_for(10min)};
    host.booted_before();
    host.start();
    host.world.cut(host.uri, host.now() + 20s, host.now() + 21s);
    host.drain({RunKind::drain, Trigger::manual, 1min, {}});
    ASSERT_EQ(host.outcome(web), Outcome::failed);
    ASSERT_EQ(host.commands<Call>().back().second.kind, probe) << "on its way when the run ends";
    host.run_for(20s);
    EXPECT_TRUE(host.on_list(web)) << "its save goes on";
}

TEST_F(Lives, forget_takes_an_entry_off) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    Outbox out;
    EXPECT_TRUE(host.driver().machine().forget("qemu:///system", web.uuid, out));
    EXPECT_FALSE(host.driver().machine().forget("qemu:///system", web.uuid, out));
    EXPECT_THAT(out, SizeIs(1));
    EXPECT_THAT(host.driver().machine().resume_list(), IsEmpty());
}

TEST_F(Lives, remember_puts_a_stopped_guest_on_the_list_once) {
    const auto web = host.add("web", stopped());
    const auto db = host.add("db", {});
    host.booted_before();
    host.start();
    host.run_for(5s);
    Outbox out;
    auto& machine = host.driver().machine();
    EXPECT_EQ(machine.remember("qemu:///system", web.uuid, out).value_or(false), true);
    EXPECT_EQ(machine.remember("qemu:///system", web.uuid, out).value_or(true), false) << "is on it";
    EXPECT_EQ(machine.remember("qemu:///system", db.uuid, out).value_or(true), false) << "is up";
    EXPECT_FALSE(machine.remember("qemu:///system", Uuid{}, out)) << "no such guest";
    EXPECT_FALSE(machine.remember("xen:///", web.uuid, out)) << "no such URI";
    EXPECT_THAT(out, SizeIs(1));
    ASSERT_THAT(machine.resume_list(), SizeIs(1));
    EXPECT_EQ(machine.resume_list().front().name, "web");
}

TEST_F(Lives, cancelling_a_boot_run_starts_nothing_more_and_keeps_the_list) {
    const auto web = add_listed("web");
    const auto db = add_listed("db");
    host.policy->uris.start_delay = 1min;
    host.start();
    host.run_for(5s);
    host.driver().send(CancelRequested{});
    host.run_for(10min);
    EXPECT_EQ(state_of(1), RunState::cancelled);
    EXPECT_NE(host.up(web), host.up(db));
    EXPECT_NE(host.on_list(web), host.on_list(db));
}

TEST_F(Lives, a_start_in_flight_when_its_boot_run_is_cancelled_still_settles_its_entry) {
    auto model = stopped();
    model.start_time = 20s;
    const auto web = add_listed("web", model);
    host.start();
    host.run_for(5s);
    host.driver().send(CancelRequested{});
    host.run_for(1min);
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Lives, a_new_policy_holds_for_the_next_run) {
    const auto web = host.add("web");
    host.booted_before();
    host.start();
    auto policy = std::make_shared<sim::Policy>();
    policy->guests.stop.stop = {leave_step()};
    host.driver().send(PolicyReplaced{policy});
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::left_running);
}

}  // namespace
}  // namespace guestd::testing
