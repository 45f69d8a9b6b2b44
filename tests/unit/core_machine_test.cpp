// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs among each other.
#include "core_lives.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum CallKind;

using Runs = HostOfLives;

TEST_F(Runs, a_drain_supersedes_a_boot_run) {
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

TEST_F(Runs, a_drain_of_some_guests_does_not_end_a_boot_run) {
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

TEST_F(Runs, a_boot_run_that_waits_for_a_silent_uri_stands_aside_and_goes_on) {
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

TEST_F(Runs, a_host_going_down_takes_over_a_manual_drain_and_its_saves) {
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

TEST_F(Runs, the_result_of_an_abandoned_call_is_ignored) {
    auto model = deaf();
    model.agent = sim::Agent::hangs;  // returns `refused` after 60 s
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(25s, ShutdownMode::agent),
                                     shutdown_for(2min, ShutdownMode::acpi), destroy_step()};
    host.drain();
    EXPECT_THAT(host.commands<AbandonCall>(), SizeIs(1));
    EXPECT_GE(host.asked_at(web, destroy_graceful), 2min + 25s) << "it refused nothing";
}

TEST_F(Runs, what_an_unknown_call_read_is_ignored) {
    const auto web = host.add("web", deaf());
    drain_for(1s);
    host.driver().send(
        CallReturned{.id = 999,
                     .guest = web,
                     .observed = GuestInfo{.uuid = web.uuid, .state = GuestState::shutoff}});
    host.run_for(1s);
    EXPECT_THAT(host.notices(NoticeKind::guest_done), IsEmpty());
    EXPECT_EQ(host.driver().machine().uris()[0].guests[0]->state, GuestState::running);
}

TEST_F(Runs, a_poweroff_does_not_wind_back_the_clock_of_a_battery) {
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

TEST_F(Runs, cancelling_a_boot_run_starts_nothing_more_and_keeps_the_list) {
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

TEST_F(Runs, a_new_policy_holds_for_the_next_run) {
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
