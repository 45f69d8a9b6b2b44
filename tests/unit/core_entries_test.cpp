// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Entries of the resume list, beside and after the runs that wrote them.
#include "core_lives.hpp"

namespace guestd::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum CallKind;

using Entries = HostOfLives;

TEST_F(Entries, an_entry_is_dropped_when_somebody_starts_its_guest) {
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

TEST_F(Entries, an_entry_is_dropped_when_its_guest_was_started_while_guestd_was_away) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    host.driver().kill_guestd();
    host.world.start_by_hand(web);
    host.start();
    host.run_for(1s);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Entries, an_entry_is_not_dropped_on_an_event_alone) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    host.driver().send(GuestChanged{web, Lifecycle::booted, "web", true});
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Entries, an_entry_of_a_failed_guest_is_dropped_when_somebody_starts_it_during_the_run) {
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

TEST_F(Entries, a_guest_started_after_the_drain_of_a_host_that_goes_down_stays_listed) {
    const auto web = host.add("web");
    host.drain();
    host.world.start_by_hand(web);
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web)) << "it goes down with the host";
}

TEST_F(Entries, after_the_drain_of_a_host_that_goes_down_the_list_is_left_alone) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {leave_step()};
    host.drain();
    host.world.cut(host.uri, host.now(), host.now() + 1s);
    host.driver().send(GuestChanged{web, Lifecycle::booted, "web", true});
    host.run_for(1min);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Entries,
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

TEST_F(Entries, forget_takes_an_entry_off) {
    const auto web = add_listed("web");
    host.booted_before();
    host.start();
    Outbox out;
    EXPECT_TRUE(host.driver().machine().forget("qemu:///system", web.uuid, out));
    EXPECT_FALSE(host.driver().machine().forget("qemu:///system", web.uuid, out));
    EXPECT_THAT(out, SizeIs(1));
    EXPECT_THAT(host.driver().machine().resume_list(), IsEmpty());
}

TEST_F(Entries, remember_puts_a_stopped_guest_on_the_list_once) {
    const auto web = host.add("web", stopped());
    const auto db = host.add("db", {});
    host.booted_before();
    host.start();
    host.run_for(5s);
    Outbox out;
    auto& machine = host.driver().machine();
    EXPECT_EQ(machine.remember("qemu:///system", web.uuid, out).value_or(false), true);
    EXPECT_EQ(machine.remember("qemu:///system", web.uuid, out).value_or(true), false)
        << "is on it";
    EXPECT_EQ(machine.remember("qemu:///system", db.uuid, out).value_or(true), false) << "is up";
    EXPECT_FALSE(machine.remember("qemu:///system", Uuid{}, out)) << "no such guest";
    EXPECT_FALSE(machine.remember("xen:///", web.uuid, out)) << "no such URI";
    EXPECT_THAT(out, SizeIs(1));
    ASSERT_THAT(machine.resume_list(), SizeIs(1));
    EXPECT_EQ(machine.resume_list().front().name, "web");
}

TEST_F(Entries, a_start_in_flight_when_its_boot_run_is_cancelled_still_settles_its_entry) {
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

}  // namespace
}  // namespace guestd::testing
