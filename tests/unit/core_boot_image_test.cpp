// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4.7: what a guest is restored from. Never from an image that does not go with its disks,
// never cold behind anybody's back, and an image is given up only where policy says so.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using enum CallKind;

/// As the simulator has it, for a guest that was saved with its first disk.
constexpr const char* kAsSaved = "disk 1\nimage 0";

struct Image : ::testing::Test {
    Host host;
    GuestId db;
    GuestModel saved() {
        auto model = stopped();
        model.managed_save = true;
        return model;
    }
    void boot(const GuestModel& model) {
        db = host.add("db", model);
        host.list(db, ResumeEntry{.expect_restore = true, .disk_identity = kAsSaved});
        host.boot();
    }
    bool forced() {
        const auto calls = host.commands<Call>();
        return std::ranges::any_of(calls, [](const auto& call) {
            return call.second.kind == start && call.second.force_boot;
        });
    }
};

TEST_F(Image, that_goes_with_its_disks_is_restored) {
    boot(saved());
    EXPECT_EQ(host.outcome(db), Outcome::restored);
    EXPECT_EQ(host.cause(db), "");
    EXPECT_EQ(host.truth(db).restores, 1U);
}

TEST_F(Image, a_drain_notes_what_the_disks_were_and_the_next_boot_compares) {
    db = host.add("db");
    host.policy->guests.stop.stop = {save_for(5min)};
    host.booted_before();
    host.drain();
    ASSERT_NE(host.entry(db), nullptr);
    EXPECT_EQ(host.entry(db)->disk_identity, "disk 1\nimage 1");
    host.reboot();
    host.world.model(db).disk_version = 2;
    host.driver().start_guestd();
    host.finish();
    EXPECT_EQ(host.outcome(db), Outcome::failed);
    EXPECT_FALSE(host.up(db));
    EXPECT_TRUE(host.truth(db).managed_save) << "it is kept";
}

TEST_F(Image, of_disks_that_were_written_to_since_is_not_restored_and_says_what) {
    auto model = saved();
    model.disk_version = 2;
    boot(model);
    EXPECT_EQ(host.outcome(db), Outcome::failed);
    EXPECT_THAT(host.cause(db), HasSubstr("now: disk 2"));
    EXPECT_EQ(host.truth(db).boots + host.truth(db).restores, 0U);
    ASSERT_TRUE(host.on_list(db));
    EXPECT_THAT(host.entry(db)->last_error, HasSubstr("have been changed"));
}

TEST_F(Image, of_disks_that_were_written_to_since_is_set_aside_where_policy_says_cold_boot) {
    auto model = saved();
    model.disk_version = 2;
    host.policy->guests.start.restore_failure = RestoreFailure::cold_boot;
    boot(model);
    EXPECT_TRUE(forced());
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("booted cold"));
}

TEST_F(Image, that_cannot_be_restored_is_kept) {
    auto model = saved();
    model.image_breaks = true;
    boot(model);
    EXPECT_EQ(host.outcome(db), Outcome::failed);
    EXPECT_THAT(host.cause(db), HasSubstr("its image is kept"));
    EXPECT_FALSE(forced());
    EXPECT_TRUE(host.on_list(db));
}

TEST_F(Image, that_cannot_be_restored_is_set_aside_after_all_tries_where_policy_says_so) {
    auto model = saved();
    model.image_breaks = true;
    host.policy->guests.start.restore_failure = RestoreFailure::cold_boot;
    host.policy->guests.start.retry.attempts = 3;
    boot(model);
    EXPECT_EQ(std::ranges::count(host.asked(db), start), 4);
    EXPECT_TRUE(forced());
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("could not be restored"));
}

TEST_F(Image, of_a_save_that_was_cut_short_boots_cold_and_says_so) {
    auto model = saved();
    model.image_partial = true;
    boot(model);
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("cut short"));
}

TEST_F(Image, that_libvirt_silently_dropped_is_told_of) {
    auto model = saved();
    model.image_vanishes = true;
    boot(model);
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("was not used: it booted cold"));
}

TEST_F(Image, of_another_definition_is_resumed_and_the_difference_said) {
    auto model = saved();
    model.image_differences = {"memory: 1 GiB in the image, 2 GiB in the definition"};
    boot(model);
    EXPECT_EQ(host.outcome(db), Outcome::restored);
    EXPECT_THAT(host.notices(NoticeKind::remark), Contains(HasSubstr("2 GiB in the definition")));
}

TEST_F(Image, of_another_definition_gives_way_to_it_where_policy_says_so) {
    auto model = saved();
    model.image_differences = {"memory: 1 GiB in the image, 2 GiB in the definition"};
    host.policy->guests.start.pending_config = PendingConfig::cold_boot;
    boot(model);
    EXPECT_TRUE(forced());
    EXPECT_EQ(host.outcome(db), Outcome::started);
    EXPECT_THAT(host.cause(db), HasSubstr("2 GiB in the definition"));
}

TEST_F(Image, is_looked_at_before_each_restore_and_never_before_a_boot) {
    auto model = saved();
    model.start_failures = 2;
    boot(model);
    const auto calls = host.commands<Call>();
    const auto count = [&](CallKind kind) {
        return std::ranges::count_if(calls,
                                     [&](const auto& call) { return call.second.kind == kind; });
    };
    EXPECT_EQ(count(inspect_image), 3);
    EXPECT_EQ(count(start), 3);
    EXPECT_EQ(host.outcome(db), Outcome::restored);
}

}  // namespace
}  // namespace guestd::testing
