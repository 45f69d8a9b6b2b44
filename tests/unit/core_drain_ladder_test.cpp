// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 5.3, 5.6: one guest on its stop ladder.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum CallKind;

struct Ladder : ::testing::Test {
    Host host;
};

TEST_F(Ladder, a_guest_that_obeys_is_shut_down) {
    const auto web = host.add("web", obeys_after(3s));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi));
}

TEST_F(Ladder, a_deaf_guest_is_saved_when_its_shutdown_time_is_over) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.resend = 0s;
    host.policy->guests.stop.stop = {shutdown_for(20s), save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, save));
    EXPECT_NEAR(static_cast<double>(host.asked_at(web, save).count()), 20e6, 1e5);
    EXPECT_THAT(host.cause(web), HasSubstr("no effect within 20s"));
}

TEST_F(Ladder, a_guest_that_can_be_neither_asked_nor_saved_is_destroyed) {
    auto model = deaf();
    model.refuses_save = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.resend = 0s;
    host.policy->guests.stop.stop = {shutdown_for(5s), save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, save, destroy_graceful));
    EXPECT_NEAR(static_cast<double>(host.asked_at(web, destroy_graceful).count()), 5e6, 1e5)
        << "a refusal falls through at once";
}

TEST_F(Ladder, the_button_is_pressed_again_every_resend) {
    auto model = deaf();
    const auto web = host.add("web", model);
    host.policy->guests.stop.resend = 10s;
    host.policy->guests.stop.stop = {shutdown_for(35s), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, shutdown_acpi, shutdown_acpi,
                                             shutdown_acpi, destroy_graceful));
}

TEST_F(Ladder, resend_0_never_presses_again) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.resend = 0s;
    host.policy->guests.stop.stop = {shutdown_for(1min), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, destroy_graceful));
}

TEST_F(Ladder, a_booting_guest_misses_the_first_press_and_obeys_a_later_one) {
    host.add("web", stopped());
    const auto web = host.world.guests()[0];
    host.world.model(web).boot_time = 15s;
    host.booted_before();
    host.start();
    host.world.start_by_hand(web);
    host.run_for(1s);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, shutdown_acpi, shutdown_acpi));
}

TEST_F(Ladder, save_first_saves_without_asking) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(save));
    ASSERT_TRUE(host.on_list(web));
    EXPECT_TRUE(host.entry(web)->expect_restore);
}

TEST_F(Ladder, a_refused_save_falls_through_and_the_guest_is_asked_to_shut_down) {
    GuestModel model;
    model.refuses_save = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {save_for(1min), shutdown_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_LT(host.asked_at(web, shutdown_acpi), 100ms);
}

TEST_F(Ladder, a_save_that_breaks_half_way_falls_through) {
    GuestModel model;
    model.save_breaks = true;
    const auto web = host.add("web", model);
    const auto app = host.add("app");
    host.policy->guests.stop.stop = {save_for(1min), shutdown_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.cause(web), HasSubstr("no space left")) << host.transcript();
    EXPECT_EQ(host.outcome(app), Outcome::saved) << "others are not affected";
}

TEST_F(Ladder, a_save_over_its_time_is_aborted_and_the_ladder_goes_on) {
    GuestModel model;
    model.memory = Bytes{100ULL << 30};
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {save_for(30s), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(save, abort_job, destroy_graceful));
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.cause(web), HasSubstr("aborted"));
    EXPECT_FALSE(host.entry(web)->expect_restore);
}

TEST_F(Ladder, a_saves_time_begins_when_it_gets_its_place) {
    GuestModel model;
    model.memory = Bytes{20ULL << 30};  // 20 s alone
    const auto first = host.add("first", model);
    const auto second = host.add("second", model);
    host.policy->uris.parallel_save = 1;
    host.policy->guests.stop.stop = {save_for(25s), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(first), Outcome::saved);
    EXPECT_EQ(host.outcome(second), Outcome::saved);
}

TEST_F(Ladder, a_destroy_at_the_end_keeps_time_to_work_however_short_the_deadline) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.stop = {shutdown_for(5min), destroy_step()};
    host.drain({RunKind::drain, Trigger::ups, 2s, {}});
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_LE(host.asked_at(web, destroy_graceful), 1010ms);
    EXPECT_GE(host.asked_at(web, destroy_graceful), 900ms);
}

TEST_F(Ladder, the_largest_is_saved_first) {
    GuestModel model;
    model.memory = Bytes{1ULL << 30};
    const auto small = host.add("small", model);
    model.memory = Bytes{8ULL << 30};
    const auto large = host.add("large", model);
    host.policy->uris.parallel_save = 1;
    host.policy->guests.stop.stop = {save_for(1min), destroy_step()};
    host.drain();
    EXPECT_LT(host.asked_at(large, save) + 7s, host.asked_at(small, save));
}

TEST_F(Ladder, the_agent_is_asked_when_it_is_connected) {
    GuestModel model;
    model.agent = sim::Agent::answers;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_agent));
}

TEST_F(Ladder, a_hanging_agent_is_followed_by_the_button) {
    GuestModel model;
    model.agent = sim::Agent::hangs;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_agent, shutdown_acpi));
    EXPECT_EQ(host.asked_at(web, shutdown_acpi).count() / 1000000, 10) << "after one resend";
}

TEST_F(Ladder, an_agent_that_accepts_and_never_acts_is_followed_by_the_button) {
    GuestModel model;
    model.agent = sim::Agent::ignores;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_agent, shutdown_acpi));
}

TEST_F(Ladder, an_agent_that_refuses_is_followed_by_the_button_at_once) {
    GuestModel model;
    model.agent = sim::Agent::refuses;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_LT(host.asked_at(web, shutdown_acpi), 100ms);
}

TEST_F(Ladder, shutdown_agent_never_presses_the_button) {
    GuestModel model;
    model.agent = sim::Agent::ignores;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(25s, ShutdownMode::agent), save_for(1min)};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_agent, shutdown_agent, shutdown_agent, save));
}

TEST_F(Ladder, a_hanging_agent_call_is_given_up_before_the_next_step) {
    auto model = deaf();
    model.agent = sim::Agent::hangs;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(25s), save_for(1min)};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.commands<AbandonCall>(), ::testing::SizeIs(1));
}

TEST_F(Ladder, a_guest_deaf_to_SIGTERM_is_destroyed_by_force) {
    GuestModel model;
    model.deaf_to_sigterm = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.asked(web), ElementsAre(destroy_graceful, destroy_forced));
}

TEST_F(Ladder, an_unkillable_guest_fails_at_the_deadline_after_few_tries) {
    GuestModel model;
    model.unkillable = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_EQ(host.last_run().ended, host.last_run().started + 10min);
    EXPECT_LT(host.asked(web).size(), 20U) << "each costs a thread of libvirt for 40 s";
    EXPECT_FALSE(host.last_run().clean);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Ladder, a_destroy_that_is_refused_at_once_is_not_repeated_in_a_hot_loop) {
    GuestModel model;
    model.refuses_destroy = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_LE(host.asked(web).size(), 122U) << "every 5 s for 10 min";
}

TEST_F(Ladder, leave_touches_nothing) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {leave_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::left_running);
    EXPECT_THAT(host.asked(web), ElementsAre());
    EXPECT_TRUE(host.on_list(web)) << "the host kills it: it must come back";
}

TEST_F(Ladder, leave_needs_no_free_place) {
    for (const char* name : {"a", "b", "c"})
        host.add(name, deaf());
    const auto web = host.add("web");
    host.policy->of("web").stop.stop = {leave_step()};
    host.policy->uris.parallel_shutdown = 1;
    host.drain();
    EXPECT_LT(host.took(web), 1s);
    EXPECT_EQ(host.outcome(web), Outcome::left_running);
}

TEST_F(Ladder, a_ladder_without_an_end_fails_the_guest_and_says_so) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.stop = {shutdown_for(20s)};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_THAT(host.cause(web), HasSubstr("its ladder ends"));
}

TEST_F(Ladder, done_means_gone_not_accepted) {
    auto model = obeys_after(90s);
    model.flush = 20s;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_GE(*host.last_run().ended - host.last_run().started, 110s);
}

}  // namespace
}  // namespace guestd::testing
