// SPDX-License-Identifier: LGPL-2.1-or-later
/// Room for saved images: what is reserved, and a save that finds none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "libvirt/save_space.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::libvirt {
namespace {

using std::filesystem::path;
using ::testing::HasSubstr;

constexpr Bytes mib(std::uint64_t count) {
    return Bytes{count << 20};
}
Uuid guest(std::uint8_t number) {
    return Uuid{Uuid::Raw{number}};
}

TEST(LibvirtSpace, WhatOthersStillWriteIsNotFree) {
    auto free = mib(1000);
    const auto space =
        std::make_shared<SaveSpace>(path{"/images"}, [&](const path&) { return free; });
    auto first = space->reserve(guest(1), mib(700));
    ASSERT_TRUE(first);
    const auto refused = space->reserve(guest(2), mib(400));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(),
              "no room for the saved image: it may need 400 MiB, /images has 300 MiB left");
    EXPECT_TRUE(space->reserve(guest(2), mib(300)));  // and given back at once

    // What is written is missing from the disk, and from what is still to come.
    space->wrote(guest(1), mib(600));
    free = mib(400);
    EXPECT_FALSE(space->reserve(guest(2), mib(301)));
    EXPECT_TRUE(space->reserve(guest(2), mib(300)));
    space->wrote(guest(1), mib(900));  // more than it was thought to need
    EXPECT_TRUE(space->reserve(guest(2), mib(400)));
    first->reset();
    space->wrote(guest(1), mib(1));  // late, of a save that is over
    EXPECT_TRUE(space->reserve(guest(2), mib(400)));
    EXPECT_THAT(space->reserve(guest(2), mib(1229)).error(), HasSubstr("1.2 GiB"));
}

TEST(LibvirtSpace, WhereNobodyTellsThereIsRoom) {
    const auto silent =
        std::make_shared<SaveSpace>(path{"/images"}, [](const path&) { return std::nullopt; });
    EXPECT_TRUE(silent->reserve(guest(1), mib(1)));
    const auto nowhere =
        std::make_shared<SaveSpace>(std::nullopt, [](const path&) { return Bytes{}; });
    EXPECT_TRUE(nowhere->reserve(guest(1), mib(1)));
    EXPECT_FALSE(nowhere->is_limited());
}

TEST(LibvirtSpace, AnImageNeedsWhatTheGuestHasTouched) {
    EXPECT_EQ(image_size(mib(4096), mib(100)), mib(116));
    EXPECT_EQ(image_size(mib(64), mib(100)), mib(80));
    EXPECT_EQ(image_size(mib(4096), {}), mib(4112));
    EXPECT_EQ(image_size({}, mib(100)), mib(116));
}

TEST(LibvirtSpace, KnowsTheFoldersThatLibvirtHasBuiltIn) {
    EXPECT_EQ(save_folder_of("qemu:///system"), path{"/var/lib/libvirt/qemu/save"});
    setenv("XDG_CONFIG_HOME", "/x", 1);
    EXPECT_EQ(save_folder_of("qemu:///session"), path{"/x/libvirt/qemu/save"});
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", "/h", 1);
    EXPECT_EQ(save_folder_of("qemu:///session"), path{"/h/.config/libvirt/qemu/save"});
    EXPECT_EQ(save_folder_of("qemu+ssh://host/system"), std::nullopt);
    EXPECT_EQ(save_folder_of("test:///default"), std::nullopt);
}

TEST(LibvirtSpace, AFolderThatIsNotThereYetIsAskedAtItsParent) {
    EXPECT_GT(free_space("/tmp/no/such/folder").value(), Bytes{});
    EXPECT_FALSE(opens_directly("/proc"));
    EXPECT_FALSE(opens_directly("/no/such/folder"));
    EXPECT_EQ(free_space("/proc/self/cmdline/x"), std::nullopt);  // no folder at all
}

}  // namespace
}  // namespace guestd::libvirt

namespace guestd::test {
namespace {

using LibvirtSpaceQemu = LibvirtQemu;

TEST_F(LibvirtSpaceQemu, ASaveWithoutRoomIsRefusedBeforeItBegins) {
    const auto uuid = define("large", 4096);
    auto free = std::make_shared<std::atomic<std::uint64_t>>(17ULL << 20);
    connect({.save_folders = {file("images").string()},
             .free_space = [free](const auto&) { return Bytes{*free}; }});
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    const auto refused = call(uuid, CallKind::save);
    EXPECT_EQ(refused.status, CallStatus::refused);
    EXPECT_THAT(refused.message, ::testing::HasSubstr("images has 17 MiB left"));
    EXPECT_EQ(refused.observed.value().state, GuestState::running);
    EXPECT_FALSE(saw_already(Lifecycle::suspended));

    // Most of its memory has never been touched.
    *free = 1024ULL << 20;
    EXPECT_EQ(call(uuid, CallKind::save).status, CallStatus::done);
}

}  // namespace
}  // namespace guestd::test
