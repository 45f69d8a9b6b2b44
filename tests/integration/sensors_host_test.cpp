// SPDX-License-Identifier: LGPL-2.1-or-later
// How the host is: from a /proc that a test writes, and from the kernel's.
#include "sensors_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

class HostTest : public SensorsTest {
protected:
    void pressure(const char* resource, const std::string& percent) {
        write_file(options_.proc + "/pressure/" + resource,
                   "some avg10=" + percent + " avg60=0.00 avg300=0.00 total=1\n");
    }
    /// How many of our file descriptors are on files of this folder.
    static long open_below(const std::string& folder) {
        long count = 0;
        for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
            std::error_code gone;
            count += fs::read_symlink(entry, gone).string().starts_with(folder) ? 1 : 0;
        }
        return count;
    }
};

TEST_F(HostTest, IsToldAtOnceAndEverySecond) {
    pressure("io", "61.50");
    pressure("cpu", "1.00");
    pressure("memory", "0.00");
    write_file(options_.proc + "/meminfo", "MemAvailable: 2048 kB\n");
    sensors().watch_host(true);
    ASSERT_EQ(measured_.size(), 1U);
    EXPECT_EQ(measured_[0].io, 61.5);
    EXPECT_EQ(measured_[0].cpu, 1.0);
    EXPECT_EQ(measured_[0].memory, 0.0);
    EXPECT_EQ(measured_[0].available, Bytes{2048 * 1024});
    pressure("io", "3.00");
    ASSERT_TRUE(until([&] { return measured_.size() >= 2; }));
    EXPECT_EQ(measured_.back().io, 3.0);
    // Twice wanted is wanted once.
    sensors().watch_host(true);
    EXPECT_EQ(measured_.size(), 2U);
}

TEST_F(HostTest, WhatTheKernelDoesNotTellIsEmpty) {
    pressure("cpu", "broken");
    // Kernels without PSI have the files all the same, and no reading works: a folder is like that.
    fs::create_directories(options_.proc + "/pressure/memory");
    sensors().watch_host(true);
    ASSERT_EQ(measured_.size(), 1U);
    EXPECT_EQ(measured_[0].io, std::nullopt);
    EXPECT_EQ(measured_[0].cpu, std::nullopt);
    EXPECT_EQ(measured_[0].memory, std::nullopt);
    EXPECT_EQ(measured_[0].available, std::nullopt);
}

TEST_F(HostTest, NothingIsWrittenWhereTheKernelIsNot) {
    pressure("io", "1.00");
    const auto before = read_file(options_.proc + "/pressure/io");
    sensors().watch_host(true);
    EXPECT_EQ(read_file(options_.proc + "/pressure/io"), before);
}

TEST_F(HostTest, NoLongerWantedIsNoLongerTold) {
    sensors().watch_host(true);
    sensors().watch_host(false);
    sensors().watch_host(true);
    sensors().watch_host(false);
    EXPECT_EQ(measured_.size(), 2U);
    need(NeedKind::path, "/");
    EXPECT_TRUE(until_holds());
    EXPECT_EQ(measured_.size(), 2U);
}

TEST_F(HostTest, KernelIsAskedToSayWhenPressureRises) {
    options_.proc = "/proc";
    if (!fs::exists("/proc/pressure/io") || ::geteuid() != 0)
        GTEST_SKIP() << "no pressure here";
    sensors().watch_host(true);
    ASSERT_EQ(measured_.size(), 1U);
    EXPECT_TRUE(measured_[0].io);
    EXPECT_TRUE(measured_[0].available);
    EXPECT_EQ(open_below("/proc/pressure"), 3);
    sensors().watch_host(false);
    EXPECT_EQ(open_below("/proc/pressure"), 0);
}

}  // namespace
}  // namespace guestd::sensors::testing
