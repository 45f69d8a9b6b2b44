// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "sensors_fixture.hpp"

namespace guestd::sensors::testing {

/// With a mount namespace of its own, which the process keeps; for root.
class MountingTest : public SensorsTest {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "mounting is for root";
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        // The real table of this process, not that of PID 1.
        fs::create_directories(options_.proc);
        fs::create_symlink("/proc/self", options_.proc + "/self");
        fs::create_directories(point_);
    }
    void TearDown() override { ::umount2(point_.c_str(), MNT_DETACH); }

    fs::path point_ = dir_ / "mount point";
};

}  // namespace guestd::sensors::testing
