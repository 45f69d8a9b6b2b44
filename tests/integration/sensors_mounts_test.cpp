// SPDX-License-Identifier: LGPL-2.1-or-later
// The need for a mount: from a table that a test writes, and from real mounts.
#include "sensors_mount_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

constexpr const char* kRoot = "20 1 8:1 / / rw - ext4 /dev/vda rw\n";
constexpr const char* kTrap = "30 20 0:30 / /srv rw - autofs systemd-1 rw\n";
constexpr const char* kReal = "31 30 0:31 / /srv rw shared:4 - nfs4 nas:/srv rw\n";

class FakeTable : public SensorsTest {
protected:
    FakeTable() { options_.safety = 10ms; }
    void table(const std::string& text) { write_file(options_.proc + "/self/mountinfo", text); }
};

TEST_F(FakeTable, IsReadAgain) {
    table(kRoot);
    need(NeedKind::mount, "/srv/");
    EXPECT_TRUE(until_told(false, "/srv is not mounted"));
    table(std::string{kRoot} + "31 20 0:31 / /srv rw - nfs4 nas:/srv rw\n");
    EXPECT_TRUE(until_holds());
    table(kRoot);
    EXPECT_TRUE(until_told(false, "/srv is not mounted"));
    EXPECT_EQ(times_told_[kId], 3);
}

TEST_F(FakeTable, TrapIsNoMount) {
    table(std::string{kRoot} + kTrap);
    need(NeedKind::mount, "/srv");
    EXPECT_TRUE(until_told(false, "/srv is an automount point with nothing mounted yet"));
    table(std::string{kRoot} + kTrap + kReal);
    EXPECT_TRUE(until_holds());
}

TEST_F(FakeTable, OfTheHostCountsBeforeOurs) {
    table(std::string{kRoot} + "31 20 8:1 /home /home ro - ext4 /dev/vda rw\n");
    write_file(options_.proc + "/1/mountinfo", kRoot);
    need(NeedKind::mount, "/home");
    EXPECT_TRUE(until_told(false, "/home is not mounted"));
}

TEST_F(FakeTable, ThatCannotBeRead) {
    need(NeedKind::mount, "/");
    EXPECT_TRUE(until_told(false, "the table of mounts cannot be read"));
    table(kRoot);
    EXPECT_TRUE(until_holds());
}

TEST_F(FakeTable, IsAnewForEachWatch) {
    table(kRoot);
    need(NeedKind::mount, "/", 1);
    EXPECT_TRUE(until_holds(1));
    sensors().unwatch(1);
    table(std::string{kRoot} + "31 20 0:31 / /srv rw - nfs4 nas:/srv rw\n");
    need(NeedKind::mount, "/srv", 2);
    EXPECT_EQ(told_[2], std::pair(true, std::string{}));
    EXPECT_EQ(times_told_[1], 1);
}

TEST_F(MountingTest, MountsAreToldAtOnce) {
    need(NeedKind::mount, point_);
    EXPECT_TRUE(until_told(false, point_.string() + " is not mounted"));
    ASSERT_EQ(::mount("none", point_.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(until_holds());
    ASSERT_EQ(::umount(point_.c_str()), 0);
    EXPECT_TRUE(until_told(false, point_.string() + " is not mounted"));
}

}  // namespace
}  // namespace guestd::sensors::testing
