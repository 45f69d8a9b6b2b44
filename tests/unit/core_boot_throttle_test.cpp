// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4.3, 4.6, 4.7: how fast guests come up, when one is ready, and what happens to a start that
// fails.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using enum CallKind;

struct Throttle : ::testing::Test {
    Host host;
    std::vector<GuestId> guests;
    GuestId add_listed(const std::string& name, GuestModel model = stopped()) {
        guests.push_back(host.add(name, model));
        host.list(guests.back());
        return guests.back();
    }
    void add_many(unsigned count) {
        for (unsigned i = 0; i < count; ++i)
            add_listed("g" + std::to_string(i));
    }
    const sim::Truth::Asked& first(const GuestId& guest) { return host.truth(guest).asked.at(0); }
    /// Most guests that were at once between start and that much later.
    std::size_t most_within(Duration span) {
        std::size_t most = 0;
        for (const auto& one : guests) {
            const auto at = first(one).at;
            most = std::max(
                most,
                static_cast<std::size_t>(std::ranges::count_if(guests, [&](const auto& other) {
                    return first(other).at <= at && at < first(other).at + span;
                })));
        }
        return most;
    }
};

TEST_F(Throttle, max_parallel_counts_from_start_to_ready) {
    add_many(20);
    host.policy->uris.max_parallel = 3;
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 10s}};
    host.boot();
    EXPECT_EQ(most_within(10s), 3U);
    EXPECT_LE(*host.last_run().ended - host.last_run().started, 7 * 11s) << "and not slower";
}

TEST_F(Throttle, max_parallel_0_is_no_limit_but_libvirts) {
    add_many(40);
    host.policy->uris.max_parallel = 0;
    host.boot();
    EXPECT_EQ(most_within(500ms), 15U);
}

TEST_F(Throttle, start_delay_is_kept_between_two_starts) {
    add_many(10);
    host.policy->uris.start_delay = 7s;
    host.boot();
    EXPECT_EQ(most_within(7s), 1U);
    EXPECT_LE(*host.last_run().ended - host.last_run().started, 9 * 7s + 10s);
}

TEST_F(Throttle, waiting_for_a_free_place_does_not_keep_the_loop_busy) {
    add_many(6);
    host.policy->uris.max_parallel = 1;
    host.policy->uris.start_delay = 1s;
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 30s}};
    host.boot();
    EXPECT_FALSE(host.driver().livelock());
    EXPECT_EQ(most_within(30s), 1U);
}

TEST_F(Throttle, agent_is_ready_when_it_connects) {
    auto model = stopped();
    model.agent = sim::Agent::answers;
    model.boot_time = 25s;
    const auto db = add_listed("db", model);
    const auto web = add_listed("web", model);
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::agent}};
    host.policy->of("web").after = {"db"};
    host.boot();
    const auto wait = first(web).at - first(db).at;
    EXPECT_GE(wait, 25s);
    EXPECT_LE(wait, 26s);
}

TEST_F(Throttle, all_probes_of_a_list_must_hold) {
    auto model = stopped();
    model.agent = sim::Agent::answers;
    model.boot_time = 5s;
    const auto web = add_listed("web", model);
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::agent},
                                       Probe{.kind = ProbeKind::delay, .span = 40s}};
    host.boot();
    EXPECT_GE(*host.last_run().ended - first(web).at, 40s);
}

TEST_F(Throttle, ready_timeout_caps_the_wait_and_continues) {
    auto model = stopped();
    model.agent = sim::Agent::hangs;
    model.boot_time = 1h;
    const auto db = add_listed("db", model);
    const auto web = add_listed("web", model);
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::agent}};
    host.policy->guests.start.ready_timeout = 1min;
    host.policy->of("web").requires_ = {"db"};
    host.boot();
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("not ready within"));
    EXPECT_EQ(host.outcome(web), Outcome::started);
}

TEST_F(Throttle, on_ready_timeout_fail_holds_the_dependents) {
    auto model = stopped();
    model.agent = sim::Agent::hangs;
    model.boot_time = 1h;
    const auto db = add_listed("db", model);
    const auto web = add_listed("web");
    host.policy->of("db").start.ready = {Probe{.kind = ProbeKind::agent}};
    host.policy->of("db").start.on_ready_timeout = OnReadyTimeout::fail;
    host.policy->of("web").requires_ = {"db"};
    host.boot();
    EXPECT_EQ(host.outcome(db), Outcome::failed);
    EXPECT_FALSE(host.on_list(db)) << "it runs";
    EXPECT_FALSE(host.up(web));
}

TEST_F(Throttle, a_restored_guest_that_was_paused_stays_paused_and_is_ready) {
    auto model = in_state(GuestState::paused);
    model.agent = sim::Agent::answers;
    const auto web = host.add("web", model);
    host.drain();
    host.reboot();
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::agent}};
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::restored);
    EXPECT_EQ(host.truth(web).state, GuestState::paused);
    EXPECT_EQ(host.cause(web), "");
}

TEST_F(Throttle, a_guest_that_stops_again_before_it_is_ready_ends_its_wait) {
    const auto web = add_listed("web");
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.world.at(TimePoint{10s}, [&] { host.world.stop_by_hand(web); });
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_THAT(host.cause(web), HasSubstr("stopped again"));
    EXPECT_THAT(host.asked(web), SizeIs(1)) << "and is not started again";
}

TEST_F(Throttle, a_failed_start_is_tried_again_with_growing_pauses) {
    const auto web = add_listed("web");
    host.world.model(web).start_failures = 4;
    host.policy->guests.start.retry = {.attempts = 5, .backoff = 5s, .max_backoff = 2min};
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    const auto& asked = host.truth(web).asked;
    ASSERT_EQ(asked.size(), 5U);
    for (std::size_t i = 1; i < asked.size(); ++i) {
        const auto pause = asked[i].at - asked[i - 1].at;
        const Duration least = 5s * (1 << (i - 1));
        EXPECT_GE(pause, least);
        EXPECT_LE(pause, least + least / 5 + 100ms);
    }
    EXPECT_THAT(host.notices(NoticeKind::guest_retrying), SizeIs(4));
}

TEST_F(Throttle, the_pauses_are_capped_and_the_tries_counted) {
    const auto web = add_listed("web");
    host.world.model(web).start_failures = 1000;
    host.policy->guests.start.retry = {.attempts = 6, .backoff = 10s, .max_backoff = 20s};
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_THAT(host.asked(web), SizeIs(6));
    EXPECT_LE(*host.last_run().ended - host.last_run().started, 10s + 4 * 24s + 13s);
    ASSERT_TRUE(host.on_list(web));
    EXPECT_THAT(host.entry(web)->last_error, HasSubstr("storage"));
}

TEST_F(Throttle, a_failing_guest_holds_no_place) {
    const auto bad = add_listed("bad");
    add_many(5);
    host.world.model(bad).start_failures = 1000;
    host.policy->uris.max_parallel = 1;
    host.policy->of("bad").priority = 1;
    host.boot();
    for (std::size_t i = 1; i < guests.size(); ++i)
        EXPECT_LE(first(guests[i]).at - first(bad).at, 5s);
}

TEST_F(Throttle, a_lock_held_elsewhere_is_waited_for_however_long) {
    const auto web = add_listed("web");
    host.world.model(web).locked_until = TimePoint{1h};
    host.start();
    host.run_for(50min);
    EXPECT_TRUE(host.on_list(web));
    EXPECT_THAT(host.notices(NoticeKind::guest_held).front(), HasSubstr("held elsewhere"));
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_LE(host.truth(web).asked.back().at, TimePoint{1h + 2min});
}

TEST_F(Throttle, waiting_for_a_lock_uses_up_no_tries) {
    const auto web = add_listed("web");
    host.world.model(web).locked_until = TimePoint{1h};
    host.world.model(web).start_failures = 3;
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
}

TEST_F(Throttle, libvirt_lost_during_a_start_is_asked_again_when_it_is_back) {
    auto model = stopped();
    model.start_time = 10s;
    const auto web = add_listed("web", model);
    host.world.kill_daemon(host.uri, TimePoint{5s}, TimePoint{1min});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_EQ(host.truth(web).boots, 1U);
}

TEST_F(Throttle, a_start_of_unknown_result_uses_up_no_tries) {
    auto model = stopped();
    model.start_time = 10s;
    const auto web = add_listed("web", model);
    host.policy->guests.start.retry.attempts = 1;
    host.world.kill_daemon(host.uri, TimePoint{5s}, TimePoint{1min});
    host.world.kill_daemon(host.uri, TimePoint{65s}, TimePoint{2min});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_EQ(host.truth(web).boots, 1U);
}

TEST_F(Throttle, one_that_libvirt_never_ends_to_start_ends_as_failed_and_stays_on_the_list) {
    auto model = stopped();
    model.start_time = 10s;
    sim::UriModel uri;
    uri.half_started = 48h;
    Host stuck{uri};
    const auto web = stuck.add("web", model);
    stuck.list(web);
    stuck.world.kill_daemon(stuck.uri, TimePoint{5s}, TimePoint{7s});
    stuck.boot();
    EXPECT_EQ(stuck.outcome(web), Outcome::failed);
    EXPECT_TRUE(stuck.on_list(web));
    EXPECT_LE(stuck.asked(web).size(), 30U) << "no flood";
}

TEST_F(Throttle, killed_with_libvirtd_the_next_life_does_not_take_a_half_started_one_for_up) {
    auto model = stopped();
    model.start_time = 10s;
    const auto web = add_listed("web", model);
    host.world.kill_daemon(host.uri, TimePoint{5s}, TimePoint{7s});
    host.world.at(TimePoint{5s}, [&] { host.driver().kill_guestd(200ms); });
    host.boot();
    host.run_for(10s);  // in which libvirt would kill it
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Throttle, a_start_that_went_on_while_the_connection_was_lost_is_not_made_again) {
    auto model = stopped();
    model.start_time = 10s;
    const auto web = add_listed("web", model);
    host.world.cut(host.uri, TimePoint{5s}, TimePoint{30s});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_THAT(host.asked(web), SizeIs(1));
}

TEST_F(Throttle, a_guest_that_died_while_libvirt_was_away_ends_its_wait) {
    const auto web = add_listed("web");
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 1min}};
    host.world.kill_daemon(host.uri, TimePoint{5s}, TimePoint{20s});
    host.world.at(TimePoint{10s}, [&] { host.world.stop_by_hand(web); });
    host.boot();
    EXPECT_THAT(host.cause(web), HasSubstr("stopped again"));
}

}  // namespace
}  // namespace guestd::testing
