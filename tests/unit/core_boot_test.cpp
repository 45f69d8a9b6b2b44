// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4.1, 4.4, 4.7, 4.8: who starts, in which order, and what of the resume list is kept.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum CallKind;

struct Boot : ::testing::Test {
    Host host;
    GuestId add_stopped(const std::string& name) { return host.add(name, stopped()); }
    GuestId add_listed(const std::string& name) {
        const auto id = add_stopped(name);
        host.list(id);
        return id;
    }
    GuestId add_saved(const std::string& name) {
        auto model = stopped();
        model.managed_save = true;
        const auto id = host.add(name, model);
        host.list(id, ResumeEntry{.expect_restore = true});
        return id;
    }
    TimePoint started_at(const GuestId& guest) { return host.truth(guest).asked.at(0).at; }
};

TEST_F(Boot, brings_back_the_resume_list_and_clears_it) {
    const auto web = add_listed("web");
    const auto other = add_stopped("other");
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_FALSE(host.on_list(web));
    EXPECT_FALSE(host.up(other));
    EXPECT_TRUE(host.last_run().clean);
}

TEST_F(Boot, starts_autostart_guests) {
    auto model = stopped();
    model.autostart = true;
    const auto web = host.add("web", model);
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
}

TEST_F(Boot, autostart_leave_leaves_them_to_libvirt) {
    auto model = stopped();
    model.autostart = true;
    const auto web = host.add("web", model);
    host.policy->guests.start.autostart = AutostartMode::leave;
    host.boot();
    EXPECT_FALSE(host.up(web));
}

TEST_F(Boot, policy_always_starts_and_never_does_not_and_leaves_the_list) {
    const auto always = add_stopped("always");
    const auto never = add_listed("never");
    host.policy->of("always").start.policy = StartChoice::always;
    host.policy->of("never").start.policy = StartChoice::never;
    host.boot();
    EXPECT_TRUE(host.up(always));
    EXPECT_EQ(host.outcome(never), Outcome::skipped);
    EXPECT_FALSE(host.on_list(never));
}

TEST_F(Boot, each_once_whatever_reasons_it_has) {
    auto model = stopped();
    model.autostart = true;
    const auto web = host.add("web", model);
    host.list(web);
    host.policy->of("web").start.policy = StartChoice::always;
    host.boot();
    EXPECT_THAT(host.asked(web), ElementsAre(start));
}

TEST_F(Boot, a_guest_that_already_runs_is_done) {
    const auto web = host.add("web");
    host.list(web);
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::already_running);
    EXPECT_FALSE(host.on_list(web));
    EXPECT_THAT(host.asked(web), IsEmpty());
}

TEST_F(Boot, a_guest_that_runs_with_no_reason_but_its_flag_is_no_part_of_the_run) {
    GuestModel flagged;
    flagged.autostart = true;
    host.add("flagged", flagged);
    host.add("always");
    host.policy->of("always").start.policy = StartChoice::always;
    const auto web = host.add("web");
    host.list(web);
    host.boot();
    EXPECT_THAT(host.notices(NoticeKind::guest_done), SizeIs(1));
    EXPECT_EQ(host.outcome(web), Outcome::already_running);
}

TEST_F(Boot, resume_off_takes_a_guest_off_the_list) {
    const auto web = add_listed("web");
    host.policy->guests.start.resume = false;
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::skipped);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Boot, a_saved_guest_is_restored) {
    const auto web = add_saved("web");
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::restored);
    EXPECT_EQ(host.cause(web), "");
}

TEST_F(Boot, a_restore_that_silently_became_a_cold_boot_is_told_of) {
    const auto web = add_saved("web");
    host.world.model(web).image_vanishes = true;
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_THAT(host.cause(web), HasSubstr("booted cold"));
}

TEST_F(Boot, an_image_that_is_gone_is_told_of) {
    const auto web = add_stopped("web");
    host.list(web, ResumeEntry{.expect_restore = true});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_THAT(host.cause(web), HasSubstr("its image is gone"));
}

TEST_F(Boot, a_restore_that_ended_while_guestd_was_dead_is_not_called_a_cold_boot) {
    const auto web = add_saved("web");
    host.driver();
    host.start();
    const auto called = [&] { return !host.asked(web).empty(); };
    ASSERT_TRUE(host.driver().run(called, host.now() + 1min));
    host.driver().kill_guestd();
    host.run_for(1min);
    host.driver().start_guestd();
    host.finish();
    EXPECT_EQ(host.truth(web).restores, 1U);
    EXPECT_EQ(host.truth(web).boots, 0U);
    EXPECT_THAT(host.cause(web), HasSubstr("nobody saw"));
}

TEST_F(Boot, an_image_that_cannot_be_restored_is_never_cold_started) {
    const auto web = add_saved("web");
    host.world.model(web).image_breaks = true;
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_TRUE(host.truth(web).managed_save);
    EXPECT_EQ(host.truth(web).boots, 0U);
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Boot, a_transient_guest_is_reported_as_gone_and_leaves_the_list) {
    auto model = in_state(GuestState::absent);
    model.persistent = false;
    const auto web = host.add("web", model);
    host.list(web, ResumeEntry{.transient = true});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::gone);
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Boot, an_undefined_guest_is_reported_as_gone_and_kept) {
    const auto web = host.add("web", in_state(GuestState::absent));
    host.list(web);
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::gone);
    ASSERT_TRUE(host.on_list(web));
    EXPECT_THAT(host.entry(web)->last_error, HasSubstr("does not know"));
}

TEST_F(Boot, dependents_start_when_their_needs_are_ready) {
    const auto web = add_listed("web");
    const auto db = add_listed("db");
    host.policy->of("web").after = {"db"};
    host.policy->of("db").start.ready = {Probe{.kind = ProbeKind::delay, .span = 20s}};
    host.boot();
    EXPECT_GE(started_at(web) - started_at(db), 20s);
}

TEST_F(Boot, after_starts_even_when_its_need_failed_requires_does_not) {
    const auto db = add_listed("db");
    const auto web = add_listed("web");
    const auto log = add_listed("log");
    const auto far = add_listed("far");
    host.world.model(db).start_failures = 100;
    host.policy->of("web").requires_ = {"db"};
    host.policy->of("far").requires_ = {"web"};
    host.policy->of("log").after = {"db"};
    host.boot();
    EXPECT_EQ(host.outcome(db), Outcome::failed);
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_THAT(host.cause(web), HasSubstr("requires db"));
    EXPECT_THAT(host.cause(far), HasSubstr("requires web"));
    EXPECT_EQ(host.outcome(log), Outcome::started);
    EXPECT_TRUE(host.on_list(web)) << "it did not come back";
}

TEST_F(Boot, priority_then_the_larger_restore_goes_first) {
    host.policy->uris.max_parallel = 1;
    const auto plain = add_listed("plain");
    const auto small = add_saved("small");
    const auto large = add_saved("large");
    const auto first = add_listed("first");
    host.world.model(large).memory = Bytes{4ULL << 30};
    host.policy->of("first").priority = 5;
    host.boot();
    EXPECT_LT(started_at(first), started_at(large));
    EXPECT_LT(started_at(large), started_at(small));
    EXPECT_LT(started_at(small), started_at(plain));
}

TEST_F(Boot, a_guest_started_by_somebody_else_meanwhile_is_not_started_again) {
    add_listed("db");
    const auto web = add_listed("web");
    host.policy->of("web").after = {"db"};
    host.policy->of("db").start.ready = {Probe{.kind = ProbeKind::delay, .span = 20s}};
    host.world.at(TimePoint{10s}, [&] { host.world.start_by_hand(web); });
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::already_running);
    EXPECT_THAT(host.asked(web), IsEmpty());
    EXPECT_FALSE(host.on_list(web));
}

TEST_F(Boot, a_late_uri_gets_its_part_when_it_answers) {
    sim::UriModel late;
    late.uri = "lxc:///system";
    late.answers_from = TimePoint{15min};
    const auto second = host.world.add_uri(late);
    const auto box = host.add(second, "box", stopped());
    host.list(box);
    const auto web = add_listed("web");
    host.start();
    host.run_for(1min);
    EXPECT_TRUE(host.up(web));
    EXPECT_TRUE(host.driver().machine().active_run());
    EXPECT_THAT(host.driver().machine().active_run()->waiting_for,
                ElementsAre(HasSubstr("lxc:///system")));
    host.finish();
    EXPECT_EQ(host.outcome(box), Outcome::started);
}

TEST_F(Boot, a_start_that_never_returns_gives_its_place_away) {
    auto stuck = stopped();
    stuck.start_time = 3h;
    stuck.memory = Bytes{1};
    const auto web = host.add("web", stuck);
    host.list(web);
    const auto db = add_listed("db");
    host.policy->of("web").priority = 1;
    host.policy->uris.max_parallel = 1;
    host.start();
    host.run_for(9min);
    EXPECT_FALSE(host.up(db)) << "a slow start is no stuck one";
    host.run_for(5min);
    EXPECT_TRUE(host.up(db));
    EXPECT_TRUE(host.driver().machine().active_run()) << "it may come up yet";
    host.run_for(10min);
    EXPECT_FALSE(host.driver().machine().active_run());
    EXPECT_EQ(host.outcome(web), Outcome::failed);
    EXPECT_THAT(host.cause(web), HasSubstr("has not answered its start"));
    EXPECT_TRUE(host.on_list(web));
    host.run_for(3h);
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.on_list(web)) << "it came up after all";
}

TEST_F(Boot, entries_of_an_unreachable_uri_stay) {
    sim::UriModel never;
    never.uri = "lxc:///system";
    never.answers_from = kNever;
    const auto box = host.add(host.world.add_uri(never), "box", stopped());
    host.list(box);
    host.start();
    host.run_for(1h);
    EXPECT_TRUE(host.on_list(box));
    EXPECT_TRUE(host.driver().machine().active_run());
}

TEST_F(Boot, a_second_boot_in_the_middle_loses_nothing) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 20; ++i)
        guests.push_back(add_listed("g" + std::to_string(i)));
    host.policy->uris.start_delay = 2s;
    host.start();
    host.run_for(21s);
    const auto up_before = std::ranges::count_if(guests, [&](const auto& g) { return host.up(g); });
    EXPECT_EQ(up_before, 11);
    for (const auto& guest : guests)
        EXPECT_NE(host.up(guest), host.on_list(guest));
    host.drain();
    host.reboot();
    host.boot();
    for (const auto& guest : guests) {
        EXPECT_TRUE(host.up(guest));
        EXPECT_FALSE(host.on_list(guest));
    }
}

TEST_F(Boot, a_safe_boot_starts_nothing_and_keeps_the_list) {
    const auto web = add_listed("web");
    host.driver().start_guestd(true);
    host.run_for(10min);
    EXPECT_FALSE(host.up(web));
    EXPECT_TRUE(host.on_list(web));
}

TEST_F(Boot, is_once_per_host_boot) {
    const auto web = add_listed("web");
    host.boot();
    host.world.stop_by_hand(web);
    host.driver().kill_guestd();
    host.boot();
    host.run_for(10min);
    EXPECT_FALSE(host.up(web)) << "an admin stopped it: it stays stopped";
}

TEST_F(Boot, asked_for_by_name_starts_even_what_is_on_no_list) {
    const auto web = add_stopped("web");
    const auto other = add_listed("other");
    host.booted_before();
    host.start();
    host.driver().send(RunRequested{RunKind::boot, Trigger::manual, {}, {"web"}});
    host.run_for(1s);
    host.finish();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_FALSE(host.up(other));
}

}  // namespace
}  // namespace guestd::testing
