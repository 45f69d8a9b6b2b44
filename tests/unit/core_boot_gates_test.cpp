// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4.5, 4.6: what holds a guest, or all of them: needs, a missing disk, a wrong definition, a
// lock, and a host that has enough to do.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum CallKind;

const Need kSrv{NeedKind::mount, "/srv"};
const Need kPool{NeedKind::pool, "ssd"};

struct Gated : ::testing::Test {
    Host host;
    GuestId add_listed(const std::string& name, GuestModel model = stopped()) {
        model.state = GuestState::shutoff;
        const auto guest = host.add(name, model);
        host.list(guest);
        return guest;
    }
    GuestProgress progress(const GuestId& guest) {
        for (const auto& each : host.driver().machine().progress())
            if (each.guest == guest)
                return each;
        return {};
    }
};

TEST_F(Gated, a_need_holds_its_guest_only) {
    const auto db = add_listed("db");
    const auto web = add_listed("web");
    host.policy->of("db").start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{60s});
    host.boot();
    expect_seconds(host.asked_at(db, start), 60);
    expect_seconds(host.asked_at(web, start), 0);
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.notices(NoticeKind::guest_held), ElementsAre(HasSubstr("mount:/srv")));
}

TEST_F(Gated, a_held_guest_takes_no_place) {
    const auto db = add_listed("db");
    const auto web = add_listed("web");
    host.policy->uris.max_parallel = 1;
    host.policy->of("db").priority = 10;
    host.policy->of("db").start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{60s});
    host.boot();
    expect_seconds(host.asked_at(web, start), 0);
    expect_seconds(host.asked_at(db, start), 60);
}

TEST_F(Gated, all_needs_must_be_there_at_once) {
    const auto db = add_listed("db");
    host.policy->of("db").start.needs = {kSrv, kPool};
    host.world.need(kSrv, TimePoint{10s}, TimePoint{20s});
    host.world.need(kSrv, TimePoint{50s});
    host.world.need(kPool, TimePoint{30s});
    host.boot();
    expect_seconds(host.asked_at(db, start), 50);
}

TEST_F(Gated, one_need_of_many_guests_is_watched_once) {
    for (int i = 0; i < 5; ++i)
        add_listed("g" + std::to_string(i));
    host.policy->guests.start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{30s});
    host.boot();
    EXPECT_THAT(host.commands<Watch>(), SizeIs(1));
    EXPECT_THAT(host.commands<Unwatch>(), SizeIs(1));
}

TEST_F(Gated, status_says_what_is_not_there) {
    const auto db = add_listed("db");
    host.policy->of("db").start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{60s});
    host.start();
    host.run_for(5s);
    EXPECT_EQ(progress(db).held_for, "mount:/srv (not there yet)");
}

TEST_F(Gated, dependents_wait_for_a_held_guest) {
    add_listed("db");
    const auto web = add_listed("web");
    host.policy->of("db").start.needs = {kSrv};
    host.policy->of("web").requires_ = {"db"};
    host.world.need(kSrv, TimePoint{1h});
    host.boot();
    EXPECT_EQ(host.outcome(web), Outcome::started);
    EXPECT_GE(host.asked_at(web, start), 1h);
}

TEST_F(Gated, some_guests_may_be_drained_while_others_are_held) {
    const auto db = add_listed("db");
    const auto web = add_listed("web");
    host.policy->of("db").start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{10min});
    host.start();
    host.run_for(1min);
    const RunRequested drain_web{RunKind::drain, Trigger::manual, {}, {"web"}};
    ASSERT_EQ(host.driver().machine().refusal(drain_web), std::nullopt);
    host.driver().send(drain_web);
    host.run_for(30s);
    EXPECT_FALSE(host.up(web));
    host.finish();
    EXPECT_TRUE(host.up(db)) << "the boot run goes on, and knows of what came meanwhile";
    EXPECT_FALSE(host.up(web));
}

TEST_F(Gated, a_missing_disk_is_waited_for_and_nothing_fails) {
    auto late = stopped();
    late.disk_from = TimePoint{20min};
    const auto db = add_listed("db", late);
    const auto app = add_listed("app");
    const auto web = add_listed("web");
    host.policy->of("app").requires_ = {"db"};
    host.policy->of("web").requires_ = {"app"};
    host.boot();
    for (const auto& guest : {db, app, web})
        EXPECT_EQ(host.outcome(guest), Outcome::started);
    EXPECT_THAT(host.asked(db), SizeIs(2)) << "once in vain, once when it was there";
    EXPECT_GE(host.asked_at(app, start), 20min);
    EXPECT_THAT(host.notices(NoticeKind::guest_held), Contains(HasSubstr("path:/disks/db")));
}

TEST_F(Gated, a_saved_guest_whose_disk_is_late_waits_and_is_restored) {
    auto late = stopped();
    late.disk_from = TimePoint{5min};
    late.managed_save = true;
    late.state = GuestState::shutoff;
    const auto db = host.add("db", late);
    host.list(db, ResumeEntry{.expect_restore = true, .disk_identity = "disk 1\nimage 0"});
    host.boot();
    EXPECT_EQ(host.outcome(db), Outcome::restored);
    EXPECT_THAT(host.asked(db), SizeIs(1)) << "it was not tried before";
}

TEST_F(Gated, a_held_guest_that_is_undefined_is_gone) {
    auto late = stopped();
    late.disk_from = kNever;
    const auto db = add_listed("db", late);
    const auto web = add_listed("web");
    host.policy->of("web").requires_ = {"db"};
    host.start();
    host.run_for(1min);
    host.world.undefine(db);
    host.finish();
    EXPECT_EQ(host.outcome(db), Outcome::gone);
    EXPECT_EQ(host.outcome(web), Outcome::failed);
}

TEST_F(Gated, a_guest_may_be_started_by_name_while_others_are_held) {
    const auto db = add_listed("db");
    const auto web = host.add("web", stopped());
    host.policy->of("db").start.needs = {kSrv};
    host.world.need(kSrv, TimePoint{10min});
    host.start();
    host.run_for(1min);
    const RunRequested boot_web{RunKind::boot, Trigger::manual, {}, {"web"}};
    ASSERT_EQ(host.driver().machine().refusal(boot_web), std::nullopt);
    host.driver().send(boot_web);
    host.run_for(30s);
    EXPECT_TRUE(host.up(web));
    host.finish();
    EXPECT_TRUE(host.up(db)) << "the first run goes on";
}

TEST_F(Gated, status_names_those_that_a_guest_starts_after) {
    const auto web = add_listed("web");
    const auto db = add_listed("db");
    host.policy->of("web").requires_ = {"db"};
    host.world.model(db).unfit = true;
    host.start();
    host.run_for(10s);
    EXPECT_FALSE(host.up(web));
    EXPECT_EQ(progress(web).held_for, "db to be ready");
}

TEST_F(Gated, the_cancel_of_a_drain_brings_up_what_the_boot_run_had_not_come_to) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 6; ++i)
        guests.push_back(add_listed("g" + std::to_string(i)));
    host.policy->uris.max_parallel = 1;
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 20s}};
    host.start();
    host.run_for(50s);
    host.driver().send(RunRequested{RunKind::drain, Trigger::ups, {}, {}});
    host.run_for(2s);
    host.driver().send(CancelRequested{});
    host.run_for(1s);
    host.finish();
    for (const auto& guest : guests)
        EXPECT_TRUE(host.up(guest));
}

/// A drain has taken over while web waited for db, is over, and a boot of all follows.
struct TakenOver : Gated {
    void SetUp() override {
        web = add_listed("web");
        db = add_listed("db");
        host.policy->of("web").requires_ = {"db"};
        host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 20s}};
        host.start();
        host.run_for(5s);
        ASSERT_FALSE(host.up(web));
        host.drain();
        drain = host.last_run().id;
        host.driver().send(RunRequested{RunKind::boot, Trigger::manual, {}, {}});
    }
    GuestId web, db;
    RunId drain = 0;
};

TEST_F(TakenOver, the_cancel_of_a_drain_leaves_to_a_boot_in_between_what_it_has_dealt_with) {
    host.run_for(1s);
    host.finish();
    ASSERT_TRUE(host.up(web) && host.up(db));
    host.world.stop_by_hand(web);
    host.run_for(1s);
    host.driver().send(CancelRequested{drain});
    host.run_for(1min);
    EXPECT_FALSE(host.up(web)) << "somebody has stopped it since";
}

TEST_F(TakenOver, the_cancel_of_a_drain_brings_up_what_no_boot_in_between_has_come_to) {
    host.run_for(5s);
    host.driver().send(CancelRequested{});
    host.run_for(5s);
    ASSERT_FALSE(host.up(web));
    host.driver().send(CancelRequested{drain});
    host.run_for(1s);
    host.finish();
    EXPECT_TRUE(host.up(web) && host.up(db));
}

TEST_F(Gated, a_host_reset_in_mid_boot_loses_nobody) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 6; ++i)
        guests.push_back(add_listed("g" + std::to_string(i)));
    host.policy->uris.max_parallel = 1;
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 20s}};
    host.start();
    host.run_for(50s);
    EXPECT_TRUE(host.up(guests[0]) || host.up(guests[1]));
    host.reboot();
    host.driver().start_guestd();
    host.finish();
    for (const auto& guest : guests)
        EXPECT_TRUE(host.up(guest));
}

TEST_F(Gated, a_wrong_definition_is_told_at_once_and_tried_again_when_it_is_another) {
    auto wrong = stopped();
    wrong.unfit = true;
    const auto db = add_listed("db", wrong);
    host.start();
    host.run_for(1h);
    EXPECT_THAT(host.asked(db), SizeIs(1));
    EXPECT_THAT(host.notices(NoticeKind::guest_held), ElementsAre(HasSubstr("unsupported")));
    EXPECT_TRUE(host.on_list(db));
    host.world.model(db).unfit = false;
    host.world.redefine(db);
    host.finish();
    EXPECT_TRUE(host.up(db));
}

TEST_F(Gated, a_lock_of_a_guest_of_this_host_is_tried_as_soon_as_that_stops) {
    auto locked = stopped();
    locked.locked_until = TimePoint{90s};
    const auto db = add_listed("db", locked);
    const auto other = host.add("other");
    host.start();
    host.run_for(95s);
    EXPECT_FALSE(host.up(db));
    host.world.stop_by_hand(other);
    host.run_for(5s);
    EXPECT_TRUE(host.up(db)) << "before its slow retry";
}

TEST_F(Gated, a_run_that_ends_before_a_lock_is_free_says_so) {
    auto locked = stopped();
    locked.locked_until = kNever;
    const auto db = add_listed("db", locked);
    host.start();
    host.run_for(1min);
    host.driver().send(CancelRequested{});
    host.run_for(5s);
    EXPECT_EQ(host.outcome(db), Outcome::held_elsewhere);
    EXPECT_TRUE(host.on_list(db));
}

struct Pressed : Gated {
    void SetUp() override {
        for (int i = 0; i < 6; ++i)
            guests.push_back(add_listed("g" + std::to_string(i)));
        host.policy->uris.max_parallel = 2;
    }
    Duration last_start() {
        Duration last{};
        for (const auto& guest : guests)
            last = std::max(last, host.asked_at(guest, start));
        return last;
    }
    std::vector<GuestId> guests;
    HostMeasured calm{.io = 1, .cpu = 2, .memory = 0, .available = Bytes{64ULL << 30}};
    HostMeasured busy{.io = 80, .cpu = 2, .memory = 0, .available = Bytes{64ULL << 30}};
};

TEST_F(Pressed, no_guest_starts_while_the_host_has_enough_to_do) {
    host.world.host_is(TimePoint{0s}, busy);
    host.world.host_is(TimePoint{60s}, calm);
    host.start();
    host.run_for(5s);
    EXPECT_THAT(host.truth(guests[0]).asked, IsEmpty());
    EXPECT_THAT(progress(guests[0]).held_for, HasSubstr("I/O pressure 80 % (limit 60 %)"));
    EXPECT_THAT(host.notices(NoticeKind::starts_held), ElementsAre(HasSubstr("I/O pressure")));
    host.finish();
    expect_seconds(host.asked_at(guests[0], start), 60);
}

TEST_F(Pressed, a_host_that_never_rests_gets_its_guests_one_by_one) {
    host.world.host_is(TimePoint{0s}, busy);
    host.boot();
    for (const auto& guest : guests)
        EXPECT_TRUE(host.up(guest));
    EXPECT_GE(last_start(), 12min - 1s);
    EXPECT_LE(last_start(), 13min);
}

TEST_F(Pressed, a_limit_of_0_looks_at_nothing) {
    host.world.host_is(TimePoint{0s}, busy);
    host.policy->uris.pressure.io = 0;
    host.boot();
    EXPECT_LE(last_start(), 1min);
}

TEST_F(Pressed, guests_of_another_host_are_not_this_hosts_business) {
    const auto far = host.world.add_uri({.uri = "qemu+ssh://b/system"});
    auto model = stopped();
    const auto there = host.add(far, "there", model);
    host.list(there);
    host.world.host_is(TimePoint{0s}, busy);
    host.start();
    host.run_for(10s);
    EXPECT_TRUE(host.up(there));
    EXPECT_FALSE(host.up(guests[0]));
}

TEST_F(Pressed, sensors_that_do_not_answer_hold_nobody_up) {
    host.driver().watch = [](const Command&) {};
    host.world.host_is(TimePoint{0s}, HostMeasured{});
    host.boot();
    EXPECT_LE(last_start(), 1min);
}

TEST_F(Pressed, the_host_is_measured_only_while_somebody_waits) {
    host.boot();
    const auto watches = host.commands<WatchHost>();
    ASSERT_FALSE(watches.empty());
    EXPECT_TRUE(watches.front().second.wanted);
    EXPECT_FALSE(watches.back().second.wanted);
}

TEST_F(Pressed, auto_grows_while_the_host_is_calm_and_halves_when_it_is_not) {
    for (int i = 6; i < 40; ++i)
        guests.push_back(add_listed("g" + std::to_string(i)));
    host.policy->uris.adaptive_parallel = true;
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 10s}};
    host.world.host_is(TimePoint{0s}, calm);
    host.boot();
    const auto most_from = [&](Duration from, Duration to) {
        std::size_t most = 0;
        for (const auto& one : guests) {
            const auto at = host.asked_at(one, start);
            if (at < from || at >= to)
                continue;
            most = std::max(most, static_cast<std::size_t>(
                                      std::ranges::count_if(guests, [&](const auto& other) {
                                          const auto begun = host.asked_at(other, start);
                                          return begun <= at && at < begun + 10s;
                                      })));
        }
        return most;
    };
    EXPECT_EQ(most_from(0s, 9s), 2U);
    EXPECT_GT(most_from(20s, 60s), 5U);
    EXPECT_LE(most_from(0s, 1h), 15U);
}

struct Memory : Gated {
    static GuestModel of_mib(std::uint64_t mib) {
        auto model = stopped();
        model.memory = Bytes{mib << 20};
        model.start_time = 5s;
        return model;
    }
    HostMeasured free_mib(std::uint64_t mib) {
        return HostMeasured{.io = 0, .cpu = 0, .memory = 0, .available = Bytes{mib << 20}};
    }
};

TEST_F(Memory, counts_what_is_promised_to_guests_on_their_way_up) {
    const auto one = add_listed("a", of_mib(2000));
    const auto two = add_listed("b", of_mib(2000));
    host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 30s}};
    host.world.host_is(TimePoint{0s}, free_mib(4000));  // 2000 + 2000 + 512 are too many
    host.boot();
    const auto apart = host.asked_at(two, start) - host.asked_at(one, start);
    expect_seconds(apart < 0s ? -apart : apart, 35);
}

TEST_F(Memory, a_guest_that_does_not_fit_lets_smaller_ones_pass_and_goes_on_waiting) {
    const auto big = add_listed("big", of_mib(8000));
    const auto small = add_listed("small", of_mib(1000));
    host.policy->of("big").priority = 1;
    host.world.host_is(TimePoint{0s}, free_mib(4000));
    host.world.host_is(TimePoint{10min}, free_mib(9000));
    host.start();
    host.run_for(1min);
    EXPECT_TRUE(host.up(small));
    EXPECT_THAT(progress(big).held_for, HasSubstr("512 MiB are to stay free"));
    host.finish();
    EXPECT_TRUE(host.up(big));
}

TEST_F(Memory, a_guest_does_not_pass_a_larger_one_for_which_there_may_be_room_soon) {
    const auto first = add_listed("first", of_mib(3000));
    const auto big = add_listed("big", of_mib(3000));
    const auto small = add_listed("small", of_mib(100));
    host.policy->of("first").priority = 2;
    host.policy->of("big").priority = 1;
    host.world.host_is(TimePoint{0s}, free_mib(4000));
    host.boot();
    EXPECT_LT(host.asked_at(first, start), host.asked_at(big, start));
    EXPECT_GE(host.asked_at(small, start), 5s) << "when the first one had come up";
}

}  // namespace
}  // namespace guestd::testing
