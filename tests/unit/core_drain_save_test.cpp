// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 5.5: saves share a disk; who saves first, how many at once, and who is given up.
#include "core/save_pace.hpp"
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum CallKind;

constexpr std::uint64_t kGiB = 1ULL << 30;

GuestModel with_mebibytes(std::uint64_t mib) {
    GuestModel model;
    model.memory = Bytes{mib << 20U};
    return model;
}

GuestModel with_memory(std::uint64_t gib) {
    return with_mebibytes(gib << 10U);
}

std::vector<GuestId> add_many(Host& host, int count, const GuestModel& model) {
    std::vector<GuestId> guests;
    for (int i = 0; i < count; ++i)
        guests.push_back(host.add("g" + std::to_string(100 + i), model));
    return guests;
}

void expect_asked_within(const Host& host, const std::vector<GuestId>& guests, Duration time) {
    for (const auto& guest : guests)
        EXPECT_LT(host.asked_at(guest, save), time);
}

struct Saves : ::testing::Test {
    Host host;  // its disk takes 1 GiB/s
    void ladder(Duration save) { host.policy->guests.stop.stop = {save_for(save), destroy_step()}; }
    Duration length() { return *host.last_run().ended - host.last_run().started; }
    GuestId add_tier(const std::string& name, std::uint64_t gib, Tier tier) {
        host.policy->of(name).tier = tier;
        host.policy->of(name).stop.stop = host.policy->guests.stop.stop;
        return host.add(name, with_memory(gib));
    }
};

TEST_F(Saves, all_at_once_while_there_is_time) {
    ladder(5min);
    add_many(host, 10, with_memory(4));
    host.drain();
    EXPECT_LE(length(), 41s) << "the disk is never idle";
    EXPECT_TRUE(host.last_run().clean);
}

/// libvirt's 200 ms of waiting for QEMU are others' time to write.
TEST_F(Saves, the_next_one_begins_when_one_is_written) {
    ladder(5min);
    const auto guests = add_many(host, 30, with_mebibytes(20));
    host.drain();
    std::vector<Duration> asked;
    for (const auto& guest : guests)
        asked.push_back(host.asked_at(guest, save));
    std::ranges::sort(asked);
    const auto at_once = std::ranges::upper_bound(asked, asked.front()) - asked.begin();
    EXPECT_EQ(at_once, 4);
    EXPECT_GT(asked[4] - asked[0], 70ms) << "not before one is written";
    EXPECT_LT(asked[4] - asked[0], 100ms) << "nor when it has ended";
    EXPECT_LT(length(), 820ms) << "586 ms of writing, and the last one's end";
}

TEST_F(Saves, where_nothing_is_written_for_a_while_more_begin) {
    ladder(5min);
    const auto guests = add_many(host, 15, with_memory(4));
    host.drain();
    expect_asked_within(host, guests, 500ms);
}

TEST(SavesElsewhere, many_begin_soon_on_late_storage_when_libvirt_serves_many) {
    sim::UriModel model;
    model.workers = 100;
    model.long_calls = 95;
    model.stream = Bytes{kGiB / 300};
    Host host{model};
    host.policy->guests.stop.stop = {save_for(5min), destroy_step()};
    const auto guests = add_many(host, 95, with_mebibytes(10));
    host.drain();
    expect_asked_within(host, guests, 1500ms);
}

TEST(SavesElsewhere, those_that_hang_keep_nobody_from_beginning) {
    Host host{{.stream = Bytes{kGiB / 10}}};
    host.policy->guests.stop.stop = {save_for(5min), destroy_step()};
    for (int i = 0; i < 4; ++i)  // the largest come first, and take minutes
        host.add("huge" + std::to_string(i), with_memory(20));
    const auto guests = add_many(host, 20, with_mebibytes(4));
    host.drain();
    expect_asked_within(host, guests, 1s);
}

TEST(SavesElsewhere, go_on_where_libvirt_does_not_tell_that_one_is_written) {
    Host host{{.tells_written = false}};
    host.policy->guests.stop.stop = {save_for(5min), destroy_step()};
    add_many(host, 30, with_mebibytes(8));
    host.drain();
    EXPECT_TRUE(host.last_run().clean);
    EXPECT_LT(*host.last_run().ended - host.last_run().started, 2s);
}

TEST_F(Saves, libvirt_may_go_away_while_some_wait_for_their_turn) {
    ladder(5min);
    add_many(host, 10, with_memory(4));
    host.start();
    host.world.cut(host.uri, host.now() + 50ms, host.now() + 10s);
    host.drain();
    EXPECT_TRUE(host.last_run().clean);
    EXPECT_LT(length(), 55s) << "10 s away, 40 s of writing";
}

TEST_F(Saves, those_that_fail_make_room_for_the_next) {
    ladder(5min);
    auto refuses = with_mebibytes(900);  // the largest come first
    refuses.refuses_save = true;
    for (int i = 0; i < 4; ++i)
        host.add("refuses" + std::to_string(i), refuses);
    const auto web = host.add("web", with_mebibytes(8));
    host.drain();
    EXPECT_LT(host.asked_at(web, save), 50ms);
}

TEST_F(Saves, one_that_cannot_make_it_is_aborted_long_before_its_time_and_the_others_make_it) {
    ladder(1min);
    const auto huge = host.add("huge", with_memory(300));
    const auto web = host.add("web", with_memory(20));
    const auto db = host.add("db", with_memory(20));
    host.drain();
    EXPECT_EQ(host.outcome(huge), Outcome::destroyed);
    EXPECT_THAT(host.cause(huge), HasSubstr("would have missed its time"));
    EXPECT_LT(host.asked_at(huge, abort_job), 10s);
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_EQ(host.outcome(db), Outcome::saved);
    EXPECT_FALSE(host.truth(huge).managed_save);
}

TEST_F(Saves, the_expendable_one_is_given_up_for_the_critical_one) {
    ladder(1min);
    const auto critical = add_tier("critical", 50, Tier::critical);
    const auto expendable = add_tier("expendable", 40, Tier::expendable);
    host.drain();
    EXPECT_EQ(host.outcome(critical), Outcome::saved);
    EXPECT_EQ(host.outcome(expendable), Outcome::destroyed);
}

TEST_F(Saves, without_a_step_behind_it_a_save_goes_on_to_its_end) {
    host.policy->guests.stop.stop = {save_for(1min)};
    const auto huge = host.add("huge", with_memory(300));
    host.drain();
    EXPECT_GE(host.asked_at(huge, abort_job), 1min);
}

TEST_F(Saves, what_was_learned_limits_the_next_run_when_time_is_short) {
    sim::UriModel model;
    model.stream = Bytes{kGiB / 2};  // two of them fill the disk
    Host second{model};
    for (unsigned i = 0; i < 8; ++i)
        second.add("g" + std::to_string(i), with_memory(5 + 2 * i));
    second.policy->guests.stop.stop = {save_for(5min), destroy_step()};
    second.drain();
    EXPECT_TRUE(second.last_run().clean);
    EXPECT_NEAR(second.store.learned.at("save.disk:qemu:///system"), 1.0 * kGiB, 0.1 * kGiB);
    EXPECT_NEAR(second.store.learned.at("save.stream:qemu:///system"), 0.5 * kGiB, 0.1 * kGiB);

    second.reboot();
    second.boot();
    second.driver().send(RunRequested{RunKind::drain, Trigger::ups, 60s, {}});
    second.run_for(2s);
    unsigned saving = 0;
    for (const auto& guest : second.driver().machine().progress())
        saving += guest.phase == "save" && guest.held_for.empty() ? 1U : 0U;
    EXPECT_EQ(saving, 2U);
    second.finish();
    unsigned saved = 0;
    for (const auto& entry : second.store.entries)
        saved += entry.second.expect_restore ? 1U : 0U;
    EXPECT_GE(saved, 3U) << "one after another they make it; all at once none does";
}

TEST_F(Saves, paused_before_it_a_guest_comes_back_running) {
    ladder(1min);
    host.policy->guests.stop.pause_before_save = true;
    const auto web = host.add("web");
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(suspend, save));
    EXPECT_FALSE(host.entry(web)->was_paused);
    host.reboot();
    host.boot();
    EXPECT_EQ(host.truth(web).state, GuestState::running);
}

TEST_F(Saves, frozen_for_a_save_that_is_refused_it_is_resumed_before_it_is_asked) {
    auto model = with_memory(1);
    model.refuses_save = true;
    host.policy->guests.stop.stop = {save_for(1min), shutdown_for(1min), destroy_step()};
    host.policy->guests.stop.pause_before_save = true;
    const auto web = host.add("web", model);
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(suspend, save, resume, shutdown_acpi));
}

TEST_F(Saves, frozen_when_guestd_is_killed_it_comes_back_running_all_the_same) {
    ladder(1min);
    host.policy->guests.stop.pause_before_save = true;
    host.policy->uris.parallel_save = 1;
    const auto first = host.add("first", with_memory(20));
    const auto second = host.add("second", with_memory(10));
    host.booted_before();
    host.start();
    host.driver().send(RunRequested{RunKind::drain, Trigger::poweroff, {}, {}});
    host.run_for(5s);
    ASSERT_EQ(host.truth(second).state, GuestState::paused);
    host.driver().kill_guestd();
    host.start();
    host.finish();
    EXPECT_EQ(host.outcome(second), Outcome::saved);
    host.reboot();
    host.boot();
    EXPECT_EQ(host.truth(first).state, GuestState::running);
    EXPECT_EQ(host.truth(second).state, GuestState::running);
}

TEST_F(Saves, a_cancelled_drain_resumes_what_it_froze) {
    ladder(5min);
    host.policy->guests.stop.pause_before_save = true;
    host.policy->uris.parallel_save = 1;
    host.add("first", with_memory(60));
    const auto second = host.add("second", with_memory(10));
    host.booted_before();
    host.start();
    host.driver().send(RunRequested{RunKind::drain, Trigger::manual, {}, {}});
    host.run_for(5s);
    ASSERT_EQ(host.truth(second).state, GuestState::paused);
    host.driver().send(CancelRequested{});
    host.finish();
    EXPECT_EQ(host.truth(second).state, GuestState::running);
}

TEST(SavePace, knows_nothing_before_it_has_measured) {
    core::SavePace pace;
    const GuestId guest{UriId{0}, *Uuid::parse("00000000-0000-0000-0000-000000000001")};
    pace.began(guest, Bytes{kGiB}, TimePoint{1s});
    pace.progressed(guest, Bytes{kGiB / 2}, TimePoint{2s});
    EXPECT_FALSE(pace.measured(TimePoint{2s}));
    EXPECT_THAT(pace.projection(TimePoint{2s}), IsEmpty());
    EXPECT_EQ(pace.enough(Bytes{1ULL << 40}, TimePoint{3s}, TimePoint{2s}), std::nullopt);
}

}  // namespace
}  // namespace guestd::testing
