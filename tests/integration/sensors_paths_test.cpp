// SPDX-License-Identifier: LGPL-2.1-or-later
// The need for a path: on a file system that tells, under mounts, and on one that never answers.
#include <fcntl.h>

#include "sensors/fd.hpp"
#include "sensors_mount_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

class PathTest : public SensorsTest {
protected:
    std::string missing(const fs::path& path) { return path.string() + " does not exist"; }
    fs::path path_ = dir_ / "a" / "b" / "c";
};

TEST_F(PathTest, AppearsFolderByFolder) {
    need(NeedKind::path, path_);
    EXPECT_TRUE(until_told(false, missing(path_)));
    fs::create_directory(dir_ / "a");
    fs::create_directory(dir_ / "other");
    // Each step is taken in before the next one.
    write_file(dir_ / "seen" / "file", "");
    need(NeedKind::path, dir_ / "seen" / "file", 8);
    EXPECT_TRUE(until_holds(8));
    fs::create_directory(dir_ / "a" / "b");
    write_file(path_, "");
    EXPECT_TRUE(until_holds());
    fs::remove(path_);
    EXPECT_TRUE(until_told(false, missing(path_)));
    fs::rename(dir_ / "seen" / "file", path_);
    EXPECT_TRUE(until_holds());
    EXPECT_TRUE(until_told(false, missing(dir_ / "seen" / "file"), 8));
}

TEST_F(PathTest, FolderIsMovedIntoPlace) {
    write_file(dir_ / "x" / "b" / "c", "");
    need(NeedKind::path, path_);
    EXPECT_TRUE(until_told(false, missing(path_)));
    fs::rename(dir_ / "x", dir_ / "a");
    EXPECT_TRUE(until_holds());
}

TEST_F(PathTest, LinksAreFollowedWhereverTheyLead) {
    fs::create_directory(dir_ / "elsewhere");
    fs::create_symlink("elsewhere/target", dir_ / "link");
    need(NeedKind::path, dir_ / "link");
    EXPECT_TRUE(until_told(false, missing(dir_ / "link")));
    write_file(dir_ / "elsewhere" / "target", "");
    EXPECT_TRUE(until_holds());
    fs::remove(dir_ / "elsewhere" / "target");
    EXPECT_TRUE(until_told(false, missing(dir_ / "link")));
}

TEST_F(PathTest, LinkToItselfIsNamed) {
    fs::create_symlink("loop", dir_ / "loop");
    need(NeedKind::path, dir_ / "loop");
    EXPECT_TRUE(
        until_told(false, (dir_ / "loop").string() + ": too many levels of symbolic links"));
}

TEST_F(PathTest, SafetyTimerSeesWhatNothingTells) {
    // A folder above the last one is moved away: nobody watches that.
    options_.safety = 10ms;
    write_file(path_, "");
    need(NeedKind::path, path_);
    EXPECT_TRUE(until_holds());
    fs::rename(dir_ / "a", dir_ / "gone");
    EXPECT_TRUE(until_told(false, missing(path_)));
}

TEST_F(PathTest, RootIsThere) {
    need(NeedKind::path, "/");
    EXPECT_TRUE(until_holds());
}

TEST_F(MountingTest, MountBringsThePath) {
    write_file(dir_ / "disk" / "images" / "one", "");
    need(NeedKind::path, point_ / "images" / "one");
    EXPECT_TRUE(until_told(false, (point_ / "images" / "one").string() + " does not exist"));
    ASSERT_EQ(::mount((dir_ / "disk").c_str(), point_.c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_TRUE(until_holds());
    ASSERT_EQ(::umount(point_.c_str()), 0);
    EXPECT_TRUE(until_told(false, (point_ / "images" / "one").string() + " does not exist"));
}

/// A file system whose server takes no question: every look at it hangs until it is cut off.
class DeadFileSystem : public MountingTest {
protected:
    void SetUp() override {
        MountingTest::SetUp();
        if (IsSkipped())
            return;
        server_ = Fd{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
        const auto data =
            "fd=" + std::to_string(server_.number()) + ",rootmode=40000,user_id=0,group_id=0";
        if (!server_ || ::mount("dead", point_.c_str(), "fuse", 0, data.c_str()) != 0)
            GTEST_SKIP() << "no FUSE here";
        options_.look_patience = 50ms;
    }
    void TearDown() override {
        server_ = Fd{};
        MountingTest::TearDown();
    }
    Fd server_;
};

TEST_F(DeadFileSystem, HoldsUpNothingElse) {
    const fs::path dead = point_ / "x";
    need(NeedKind::path, dead);
    EXPECT_TRUE(until_told(false, dead.string() + ": its file system does not answer"));
    need(NeedKind::path, dir_ / "well", 8);
    EXPECT_TRUE(until_told(false, (dir_ / "well").string() + " does not exist", 8));
    write_file(dir_ / "well", "");
    EXPECT_TRUE(until_holds(8));
    // Cut off, the look comes back.
    server_ = Fd{};
    EXPECT_TRUE(until_told(false, dead.string() + ": transport endpoint is not connected"));
}

TEST_F(DeadFileSystem, IsLeftBehind) {
    need(NeedKind::path, point_ / "x");
    EXPECT_TRUE(until([&] { return times_told_[kId] == 1; }));
    sensors().unwatch(kId);
    need(NeedKind::path, "/", 8);
    EXPECT_TRUE(until_holds(8));
    EXPECT_EQ(times_told_[kId], 1);
}

}  // namespace
}  // namespace guestd::sensors::testing
