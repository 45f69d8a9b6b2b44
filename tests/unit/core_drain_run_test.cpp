// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 5.1, 5.2, 5.4, 5.6: the drain run as a whole.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using enum CallKind;

const RunRequested kManual{RunKind::drain, Trigger::manual, {}, {}};

struct Drain : ::testing::Test {
    Host host;
    /// db waits for web, which is asked and takes 30 s: 5 s into a drain.
    std::pair<GuestId, GuestId> drain_web_before_db(Trigger trigger) {
        const auto db = host.add("db");
        const auto web = host.add("web", obeys_after(30s));
        host.policy->of("web").requires_ = {"db"};
        host.booted_before();
        host.start();
        host.driver().send(RunRequested{RunKind::drain, trigger, {}, {}});
        host.run_for(5s);
        return {db, web};
    }
    /// Guests down at once, most that ever were on their way.
    unsigned most_at_once(const std::vector<GuestId>& guests) const {
        unsigned most = 0;
        for (const auto& one : guests) {
            unsigned beside = 0;
            const auto at = host.truth(one).asked.at(0).at;
            for (const auto& other : guests)
                if (host.truth(other).asked.at(0).at <= at && host.truth(other).down > at)
                    ++beside;
            most = std::max(most, beside);
        }
        return most;
    }
};

TEST_F(Drain, the_list_is_durable_before_a_guest_is_touched) {
    const auto web = host.add("web");
    host.store.latency = 800ms;
    host.driver().watch = [&](const Command& command) {
        if (std::holds_alternative<Call>(command)) {
            EXPECT_TRUE(host.on_list(web));
        }
    };
    host.drain();
    EXPECT_GE(host.asked_at(web, shutdown_acpi), 800ms);
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
}

TEST_F(Drain, a_store_that_fails_does_not_hold_the_drain_and_is_told_of) {
    const auto web = host.add("web");
    host.booted_before();
    host.start();
    host.store.health = sim::Store::Health::fails;
    host.drain();
    EXPECT_FALSE(host.up(web));
    EXPECT_THAT(host.notices(NoticeKind::intent_not_stored),
                ElementsAre(HasSubstr("no space left on device")));
    EXPECT_FALSE(host.driver().machine().last_run()->clean);
}

TEST_F(Drain, a_store_that_never_answers_holds_the_drain_for_5_s_and_is_told_of) {
    const auto web = host.add("web");
    host.booted_before();
    host.start();
    host.store.health = sim::Store::Health::silent;
    const auto begin = host.now();
    host.drain();
    EXPECT_FALSE(host.up(web));
    EXPECT_NEAR(static_cast<double>((host.truth(web).asked[0].at - begin).count()), 5e6, 1e5);
    EXPECT_THAT(host.notices(NoticeKind::intent_not_stored), SizeIs(1));
}

TEST_F(Drain, a_late_guest_is_drained_and_listed_before_it_is_touched) {
    host.add("web", obeys_after(30s));
    const auto late = host.add("late", stopped());
    host.store.latency = 500ms;
    host.driver().watch = [&](const Command& command) {
        if (const auto* call = std::get_if<Call>(&command); call && call->guest == late) {
            EXPECT_TRUE(call->kind == probe || host.on_list(late));
        }
    };
    host.world.at(TimePoint{20s}, [&] { host.world.start_by_hand(late); });
    host.drain();
    EXPECT_EQ(host.outcome(late), Outcome::shut_down);
    EXPECT_THAT(host.asked(late), ::testing::Contains(shutdown_acpi));
}

TEST_F(Drain, a_guest_that_is_started_again_during_the_run_is_stopped_again) {
    const auto web = host.add("web", obeys_after(1s));
    host.add("slow", obeys_after(40s));
    host.world.at(TimePoint{20s}, [&] { host.world.start_by_hand(web); });
    host.drain();
    EXPECT_FALSE(host.up(web));
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
}

TEST_F(Drain, a_failed_guest_is_not_asked_again_because_another_one_turns_up) {
    const auto web = host.add("web", deaf());
    host.policy->of("web").stop.stop = {shutdown_for(5s)};
    host.add("slow", obeys_after(1min));
    const auto late = host.add("late", stopped());
    host.world.at(TimePoint{20s}, [&] { host.world.start_by_hand(late); });
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi));
    EXPECT_FALSE(host.up(late));
}

TEST_F(Drain, guests_stop_after_those_that_depend_on_them) {
    const auto db = host.add("db", obeys_after(5s));
    const auto app = host.add("app", obeys_after(5s));
    const auto web = host.add("web", obeys_after(5s));
    host.policy->of("app").requires_ = {"d*"};
    host.policy->of("web").after = {"app"};
    host.drain();
    EXPECT_GE(host.truth(app).asked[0].at, host.truth(web).down);
    EXPECT_GE(host.truth(db).asked[0].at, host.truth(app).down);
    EXPECT_LT(host.asked_at(db, shutdown_acpi), 11s) << "as soon as they are gone";
}

TEST_F(Drain, independent_branches_do_not_wait_for_each_other) {
    host.add("db", obeys_after(1s));
    host.add("web", obeys_after(60s));
    const auto other = host.add("other", obeys_after(1s));
    host.policy->of("web").after = {"db"};
    host.drain();
    EXPECT_LT(host.asked_at(other, shutdown_acpi), 1s);
}

TEST_F(Drain, a_dependent_that_never_stops_does_not_cost_the_others_their_time) {
    const auto db = host.add("db", obeys_after(2s));
    auto model = deaf();
    model.unkillable = true;
    model.refuses_save = true;
    host.add("web", model);
    host.policy->of("web").requires_ = {"db"};
    host.drain();
    EXPECT_EQ(host.outcome(db), Outcome::shut_down);
    EXPECT_LE(host.asked_at(db, shutdown_acpi), 5min + 1s) << "its half of the deadline";
}

TEST_F(Drain, an_order_with_a_cycle_is_cut_and_told_of) {
    const auto a = host.add("a");
    const auto b = host.add("b");
    host.policy->of("a").after = {"b"};
    host.policy->of("b").after = {"a"};
    host.drain();
    EXPECT_FALSE(host.up(a) || host.up(b));
    EXPECT_THAT(host.notices(NoticeKind::remark), ElementsAre(HasSubstr("cycle")));
}

TEST_F(Drain, parallel_shutdown_is_kept_while_there_is_time) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 9; ++i)
        guests.push_back(host.add("g" + std::to_string(i), obeys_after(4s)));
    host.policy->uris.parallel_shutdown = 3;
    host.drain();
    EXPECT_EQ(most_at_once(guests), 3U);
    for (const auto& guest : guests)
        EXPECT_EQ(host.outcome(guest), Outcome::shut_down);
}

TEST_F(Drain, parallel_shutdown_widens_rather_than_leave_one_unasked) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 4; ++i)
        guests.push_back(host.add("g" + std::to_string(i), deaf()));
    host.policy->uris.parallel_shutdown = 3;
    host.policy->uris.deadline = 1min;
    host.policy->guests.stop.stop = {shutdown_for(5min), destroy_step()};
    host.drain();
    for (const auto& guest : guests) {
        EXPECT_THAT(host.asked(guest), ::testing::Contains(shutdown_acpi));
        EXPECT_EQ(host.outcome(guest), Outcome::destroyed);
    }
    EXPECT_LE(*host.last_run().ended - host.last_run().started, 1min);
}

TEST_F(Drain, expendable_guests_go_first_and_critical_ones_last) {
    const auto critical = host.add("critical", obeys_after(1s));
    const auto normal = host.add("normal", obeys_after(1s));
    const auto expendable = host.add("expendable", obeys_after(1s));
    host.policy->of("critical").tier = Tier::critical;
    host.policy->of("expendable").tier = Tier::expendable;
    host.policy->uris.parallel_shutdown = 1;
    host.drain();
    EXPECT_LT(host.truth(expendable).asked[0].at, host.truth(normal).asked[0].at);
    EXPECT_LT(host.truth(normal).asked[0].at, host.truth(critical).asked[0].at);
}

TEST_F(Drain, a_ladder_that_does_not_fit_is_scaled_so_that_each_step_comes) {
    auto model = deaf();
    model.memory = Bytes{500ULL << 30};
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {shutdown_for(5min), save_for(5min), destroy_step()};
    host.drain({RunKind::drain, Trigger::ups, 62s, {}});
    EXPECT_NEAR(static_cast<double>(host.asked_at(web, save).count()), 30e6, 1e6);
    EXPECT_LE(host.asked_at(web, destroy_graceful), 61s);
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_LE(*host.last_run().ended - host.last_run().started, 62s);
}

TEST_F(Drain, a_selection_drains_only_that) {
    const auto web = host.add("web-1");
    const auto db = host.add("db");
    host.drain({RunKind::drain, Trigger::manual, {}, {"web-*"}});
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_TRUE(host.up(db));
    EXPECT_FALSE(host.on_list(db));
}

TEST_F(Drain, never_more_long_calls_than_libvirt_serves) {
    for (int i = 0; i < 40; ++i) {
        GuestModel model;
        model.agent = i % 2 == 0 ? sim::Agent::hangs : sim::Agent::none;
        model.memory = Bytes{1ULL << 30};
        const auto name = "g" + std::to_string(i);
        host.add(name, model);
        if (i % 2 == 0)
            host.policy->of(name).stop.stop = {shutdown_for(5min, ShutdownMode::agent)};
        else
            host.policy->of(name).stop.stop = {save_for(5min)};
    }
    std::set<CallId> under_way;
    std::size_t most = 0;
    host.driver().watch = [&](const Command& command) {
        if (const auto* call = std::get_if<Call>(&command); call && is_long(call->kind))
            under_way.insert(call->id);
        for (const auto& entry : host.driver().transcript())
            if (const auto* event = std::get_if<Event>(&entry.what))
                if (const auto* returned = std::get_if<CallReturned>(event))
                    under_way.erase(returned->id);
        most = std::max(most, under_way.size());
    };
    host.drain();
    EXPECT_EQ(most, 15U);
}

TEST_F(Drain, of_a_manual_run_guests_left_running_leave_the_list) {
    const auto web = host.add("web");
    host.policy->guests.stop.stop = {leave_step()};
    host.drain(kManual);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Drain, cancel_brings_back_what_was_stopped_in_order) {
    const auto db = host.add("db", obeys_after(1s));
    const auto web = host.add("web", obeys_after(1s));
    host.policy->of("web").requires_ = {"db"};
    host.add("slow", deaf());
    host.booted_before();
    host.start();
    host.driver().send(kManual);
    host.run_for(10s);
    ASSERT_FALSE(host.up(db) || host.up(web));
    host.driver().send(CancelRequested{});
    host.finish();
    EXPECT_TRUE(host.up(db) && host.up(web));
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_FALSE(host.on_list(db) || host.on_list(web));
}

TEST_F(Drain, cancel_brings_back_a_guest_that_goes_down_only_after_it) {
    const auto web = host.add("web", obeys_after(30s));
    host.booted_before();
    host.start();
    host.driver().send(kManual);
    host.run_for(10s);
    host.driver().send(CancelRequested{});
    host.run_for(5s);
    ASSERT_TRUE(host.up(web));
    EXPECT_TRUE(host.on_list(web));
    host.finish();
    EXPECT_TRUE(host.up(web));
    EXPECT_EQ(host.truth(web).boots, 1U);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Drain, cancel_aborts_saves) {
    GuestModel model;
    model.memory = Bytes{60ULL << 30};
    const auto web = host.add("web", model);
    host.policy->guests.stop.stop = {save_for(5min)};
    host.booted_before();
    host.start();
    host.driver().send(kManual);
    host.run_for(10s);
    host.driver().send(CancelRequested{});
    host.finish();
    EXPECT_EQ(host.truth(web).state, GuestState::running);
    EXPECT_EQ(host.truth(web).restores, 0U);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Drain, cancel_leaves_alone_what_was_not_touched) {
    const auto [db, web] = drain_web_before_db(Trigger::manual);
    host.driver().send(CancelRequested{});
    host.finish();
    EXPECT_THAT(host.asked(db), ElementsAre());
    EXPECT_FALSE(host.on_list(db));
    EXPECT_TRUE(host.up(db) && host.up(web));
}

TEST_F(Drain, that_is_over_brings_back_what_it_took_down_when_it_is_cancelled) {
    const auto web = host.add("web");
    auto flagged = stopped();
    flagged.autostart = true;
    const auto off = host.add("off", flagged);
    const auto before = host.add("before", stopped());
    host.list(before, {.run = 1});
    host.booted_before();
    host.drain();
    ASSERT_TRUE(!host.up(web) && host.on_list(web));
    host.driver().send(CancelRequested{host.last_run().id});
    host.run_for(1s);
    host.finish();
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.up(off)) << "nobody had it up";
    EXPECT_FALSE(host.up(before)) << "another drain's";
    EXPECT_TRUE(host.on_list(before));
    host.driver().send(CancelRequested{host.last_run().id});  // a boot run: nothing to bring back
    host.run_for(1min);
    EXPECT_TRUE(host.up(web));
}

TEST_F(Drain, of_a_host_that_stays_up_after_all_keeps_nobody_on_the_list_whom_it_did_not_touch) {
    const auto [db, web] = drain_web_before_db(Trigger::poweroff);
    ASSERT_TRUE(host.on_list(db) && host.on_list(web));
    host.driver().send(CancelRequested{host.last_run().id});
    host.run_for(1s);
    host.finish();
    EXPECT_TRUE(host.up(db) && host.up(web));
    EXPECT_FALSE(host.on_list(db) || host.on_list(web));
}

}  // namespace
}  // namespace guestd::testing
