// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Issue 3, point 6: guests in odd states, each with its rule.
#include "core_checks.hpp"
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum CallKind;

struct Odd : ::testing::Test {
    Host host;
};

TEST_F(Odd, a_paused_guest_is_saved_and_its_entry_says_paused) {
    const auto web = host.add("web", in_state(GuestState::paused));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(save));
    EXPECT_TRUE(host.entry(web)->was_paused);
}

TEST_F(Odd, paused_resume_wakes_it_up_and_asks_it) {
    const auto web = host.add("web", in_state(GuestState::paused));
    host.policy->guests.stop.paused = PausedRule::resume;
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(resume, shutdown_acpi));
}

TEST_F(Odd, paused_destroy_and_paused_leave) {
    const auto web = host.add("web", in_state(GuestState::paused));
    const auto app = host.add("app", in_state(GuestState::paused));
    host.policy->of("web").stop.paused = PausedRule::destroy;
    host.policy->of("app").stop.paused = PausedRule::leave;
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_EQ(host.outcome(app), Outcome::left_running);
    EXPECT_THAT(host.asked(app), ElementsAre());
}

TEST_F(Odd, a_transient_guest_is_asked_and_never_saved) {
    auto model = deaf();
    model.persistent = false;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {save_for(1min), shutdown_for(20s), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, shutdown_acpi, destroy_graceful));
    EXPECT_TRUE(host.entry(web)->transient);
}

TEST_F(Odd, transient_destroy_and_transient_leave) {
    GuestModel model;
    model.persistent = false;
    const auto web = host.add("web", model);
    const auto app = host.add("app", model);
    host.policy->of("web").stop.transient = TransientRule::destroy;
    host.policy->of("app").stop.transient = TransientRule::leave;
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_EQ(host.outcome(app), Outcome::left_running);
}

TEST_F(Odd, a_sleeping_guest_is_woken_up_first) {
    const auto web = host.add("web", in_state(GuestState::pmsuspended));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(wake, shutdown_acpi));
}

TEST_F(Odd, a_crashed_guest_is_destroyed) {
    const auto web = host.add("web", in_state(GuestState::crashed));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.asked(web), ElementsAre(destroy_graceful));
}

TEST_F(Odd, a_guest_that_goes_down_already_is_waited_for) {
    auto model = obeys_after(1s);
    model.flush = 40s;
    const auto web = host.add("web", model);
    host.booted_before();
    host.start();
    host.driver().send(RunRequested{RunKind::drain, Trigger::manual, {}, {}});
    host.run_for(20s);  // in the middle of its flush
    ASSERT_EQ(host.truth(web).state, GuestState::shutting_down);
    host.policy->guests.stop.stop = {shutdown_for(5s), destroy_step()};
    host.drain({RunKind::drain, Trigger::poweroff, {}, {}});
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi)) << "never asked again";
}

TEST_F(Odd, on_poweroff_restart_is_saved_after_its_time) {
    GuestModel model;
    model.restarts_on_poweroff = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(30s), save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
}

TEST_F(Odd, a_guest_that_crashes_while_stopping_failed) {
    GuestModel model;
    model.crashes_when_stopping = true;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_THAT(host.cause(web), HasSubstr("crashed"));
    EXPECT_FALSE(host.last_run().clean);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Odd, a_guest_that_stopped_by_itself_is_a_success) {
    const auto web = host.add("web", deaf());
    host.world.at(TimePoint{15s}, [&] { host.world.stop_by_hand(web); });
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_TRUE(host.last_run().clean);
}

/// A guest that somebody saved `before` the drain.
struct SavedAhead : Odd {
    GuestId save_by_hand(Duration before) {
        const auto web = host.add("web", {});
        host.booted_before();
        host.start();
        host.run_for(1s);
        host.world.submit(Call{.id = 900, .guest = web, .kind = save});
        host.run_for(2s + before);
        EXPECT_EQ(host.driver().machine().resume_list().size(), 0U);
        return web;
    }
};

TEST_F(SavedAhead, as_the_host_went_down_it_comes_back) {
    const auto web = save_by_hand(1s);
    host.drain({RunKind::drain, Trigger::poweroff, 1min, {}});
    ASSERT_TRUE(host.on_list(web));
    EXPECT_TRUE(host.driver().machine().resume_list().front().expect_restore);
    EXPECT_TRUE(host.last_run().clean);
}

TEST_F(SavedAhead, long_before_it_stays_down) {
    const auto web = save_by_hand(20s);
    host.drain({RunKind::drain, Trigger::poweroff, 1min, {}});
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(SavedAhead, before_a_drain_by_hand_it_stays_down) {
    const auto web = save_by_hand(1s);
    host.drain({RunKind::drain, Trigger::manual, 1min, {}});
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Odd, somebodys_save_under_way_is_adopted_not_doubled) {
    GuestModel model;
    model.memory = Bytes{30ULL << 30};
    const auto web = host.add("web", model);
    host.booted_before();
    host.start();
    host.world.submit(Call{.id = 900, .guest = web, .kind = save});
    host.run_for(2s);
    host.driver().kill_guestd();  // whatever it knew of that
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(save));
    EXPECT_FALSE(host.entry(web)->was_paused) << "it is paused by its save only";
}

TEST_F(Odd, a_guest_that_is_being_started_by_a_boot_run_is_drained_when_it_is_up) {
    auto model = stopped();
    model.start_time = 20s;
    const auto web = host.add("web", model);
    host.list(web);
    host.start();
    host.run_for(1s);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ::testing::Contains(shutdown_acpi));
    EXPECT_GE(host.truth(web).asked[1].at - host.truth(web).asked[0].at, 20s)
        << "not beside the start call";
    EXPECT_TRUE(host.on_list(web));
}

TEST(OddReading, from_before_the_start_does_not_end_the_wait_for_it) {
    sim::UriModel model;
    model.latency = 300ms;
    Host host{model};
    const auto first = host.add("first", stopped());
    const auto web = host.add("web", stopped());
    host.list(first);
    host.list(web);
    host.policy->uris.start_delay = 10s;
    host.start();
    const auto start_of_web = host.now() + 10s;
    host.driver().send_at(start_of_web - 50ms, GuestChanged{web, Lifecycle::booted, "web", true});
    host.driver().send_at(start_of_web + 50ms,
                          RunRequested{RunKind::drain, Trigger::manual, {}, {}});
    host.run_for(11s);
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_EQ(two_outcomes(host.driver().transcript()), Complaint{}) << "it was not up yet";
}

TEST_F(Odd, a_start_that_fails_during_a_drain_keeps_its_entry_as_it_was) {
    auto model = stopped();
    model.start_time = 20s;
    const auto web = host.add("web", model);
    host.list(web, ResumeEntry{.was_paused = true, .expect_restore = true});
    host.start();
    host.run_for(1s);
    host.world.model(web).unkillable = true;
    host.driver().send(RunRequested{RunKind::drain, Trigger::manual, {}, {}});
    host.world.kill_daemon(host.uri, host.now() + 5s, host.now() + 6s);
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::skipped);
    ASSERT_TRUE(host.on_list(web));
    EXPECT_TRUE(host.entry(web)->was_paused);
    EXPECT_TRUE(host.entry(web)->expect_restore);
}

TEST_F(Odd, one_that_libvirtd_left_half_started_is_not_listed_as_paused) {
    auto model = stopped();
    model.start_time = 20s;
    const auto web = host.add("web", model);
    host.list(web);
    host.start();
    host.world.kill_daemon(host.uri, host.now() + 5s, host.now() + 6s);
    host.run_for(7s);
    host.driver().send(RunRequested{RunKind::drain, Trigger::reboot, {}, {}});
    host.finish();
    ASSERT_TRUE(host.on_list(web));
    EXPECT_FALSE(host.entry(web)->was_paused);
}

TEST_F(Odd, in_a_backup_it_is_left_alone_until_the_backup_ends) {
    GuestModel model;
    model.job = GuestJob::backup;
    const auto web = host.add("web", model);
    host.booted_before();
    host.start();
    host.world.at(host.now() + 11s, [&] { host.world.model(web).job = GuestJob::none; });
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi));
    EXPECT_GE(host.asked_at(web, shutdown_acpi), 11s);
    EXPECT_LE(host.asked_at(web, shutdown_acpi), 14s);
}

TEST_F(Odd, a_backup_that_does_not_end_is_aborted_after_busy) {
    GuestModel model;
    model.job = GuestJob::backup;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(5min), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(abort_job, shutdown_acpi));
    EXPECT_GE(host.asked_at(web, abort_job), 30s);
    EXPECT_THAT(host.cause(web), HasSubstr("backup was aborted"));
}

TEST_F(Odd, busy_0_aborts_at_once) {
    GuestModel model;
    model.job = GuestJob::backup;
    const auto web = host.add("web", model);
    host.policy->guests.stop.busy = 0s;
    host.policy->guests.stop.stop = {save_for(1min), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(abort_job, save));
    expect_seconds(host.asked_at(web, abort_job), 0);
}

TEST_F(Odd, a_block_job_is_aborted_in_its_own_way) {
    GuestModel model;
    model.job = GuestJob::block;
    const auto web = host.add("web", model);
    host.policy->guests.stop.busy = 5s;
    host.policy->guests.stop.stop = {save_for(1min), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(abort_block, save));
    EXPECT_EQ(host.outcome(web), Outcome::saved);
}

TEST_F(Odd, a_busy_guest_shares_too_short_a_time_with_its_ladder) {
    auto model = deaf();
    model.job = GuestJob::backup;
    const auto web = host.add("web", model);
    host.policy->guests.stop.busy = 5min;
    host.policy->guests.stop.stop = {shutdown_for(20s), destroy_step()};
    host.drain({RunKind::drain, Trigger::ups, 1min, {}});
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_LE(host.asked_at(web, abort_job), 54s);
    EXPECT_LT(host.asked_at(web, shutdown_acpi), host.asked_at(web, destroy_graceful));
}

TEST_F(Odd, a_guest_in_a_job_that_goes_down_by_itself_is_a_success) {
    GuestModel model;
    model.job = GuestJob::migration;
    const auto web = host.add("web", model);
    host.booted_before();
    host.start();
    host.world.at(host.now() + 5s, [&] { host.world.stop_by_hand(web); });
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre());
}

TEST_F(Odd, evacuated_it_is_off_the_list) {
    const auto web = host.add("web");
    Step away{StepKind::migrate, ShutdownMode::automatic, 1min, "qemu+ssh://b/system"};
    host.policy->guests.stop.stop = {away, shutdown_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::migrated);
    EXPECT_FALSE(host.on_list(web));
    EXPECT_EQ(host.commands<Call>().back().second.target, "qemu+ssh://b/system");
}

TEST_F(Odd, an_evacuation_that_is_refused_or_too_slow_falls_through) {
    GuestModel model;
    model.refuses_migration = true;
    const auto web = host.add("web", model);
    model.refuses_migration = false;
    model.migration_time = 10min;
    const auto db = host.add("db", model);
    Step away{StepKind::migrate, ShutdownMode::automatic, 1min, "qemu+ssh://b/system"};
    host.policy->guests.stop.stop = {away, shutdown_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(migrate, shutdown_acpi));
    EXPECT_EQ(host.outcome(db), Outcome::shut_down);
    EXPECT_THAT(host.asked(db), ElementsAre(migrate, abort_job, shutdown_acpi));
}

TEST_F(Odd, a_silent_one_is_told_from_one_that_is_going_down) {
    auto model = deaf();
    host.add("web", model);
    model.agent = sim::Agent::ignores;
    host.add("app", model);
    host.booted_before();
    host.start();
    host.driver().send(RunRequested{RunKind::drain, Trigger::poweroff, {}, {}});
    host.run_for(5s);
    std::map<std::string, std::string> answers;
    for (const auto& guest : host.driver().machine().progress())
        answers[guest.name] = guest.answer;
    EXPECT_EQ(answers["web"], "silent, asked once");
    EXPECT_EQ(answers["app"], "its agent has accepted");
    host.run_for(20s);
    for (const auto& guest : host.driver().machine().progress())
        answers[guest.name] = guest.answer;
    EXPECT_EQ(answers["web"], "silent, asked 3 times");
}

TEST_F(Odd, when_the_list_cannot_be_written_libvirt_is_made_to_remember) {
    const auto web = host.add("web");
    host.booted_before();
    host.start();
    host.store.health = sim::Store::Health::fails;
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(remember, shutdown_acpi));
    EXPECT_TRUE(host.truth(web).remembered);
    host.store.health = sim::Store::Health::good;
    host.reboot();
    host.boot();
    EXPECT_TRUE(host.up(web));
    host.run_for(1s);
    EXPECT_FALSE(host.truth(web).remembered);
}

TEST_F(Odd, a_transient_guest_that_is_gone_is_not_tried_again_and_again) {
    GuestModel model;
    model.persistent = false;
    const auto web = host.add("web", model);
    host.booted_before();
    host.start();
    host.drain({RunKind::drain, Trigger::manual, {}, {}});
    host.driver().send(RunRequested{RunKind::boot, Trigger::manual, {}, {}});
    host.run_for(1s);
    EXPECT_FALSE(host.driver().machine().active_run());
    EXPECT_EQ(host.outcome(web), Outcome::gone);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Odd, names_are_only_names) {
    const std::string evil = "<b>a b'\"\n[x]*" + std::string(200, 'n');
    const auto web = host.add(evil, obeys_after(1s));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_EQ(host.entry(web)->name, evil);
}

}  // namespace
}  // namespace guestd::testing
