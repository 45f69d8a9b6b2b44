// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "systemd/host.hpp"

namespace guestd::systemd {
namespace {

constexpr const char* kName = "GUESTD_BOOT_ID";

std::string kernels() {
    std::string text;
    std::ifstream{"/proc/sys/kernel/random/boot_id"} >> text;
    std::erase(text, '-');
    return text;
}

class BootId : public testing::Test {
    void TearDown() override { ::unsetenv(kName); }
};

TEST_F(BootId, IsTheKernelsUnlessSystemdTellsAnother) {
    EXPECT_EQ(boot_id().value_or(""), kernels());
    const std::string other = "0123456789abcdef0123456789abcdef";
    ::setenv(kName, other.c_str(), 1);
    EXPECT_EQ(boot_id().value_or(""), other);
}

TEST_F(BootId, WhatIsNoIdIsNotBelieved) {
    for (const char* wrong : {"", "no id", "%b"}) {
        ::setenv(kName, wrong, 1);
        EXPECT_EQ(boot_id().value_or(""), kernels()) << wrong;
    }
}

}  // namespace
}  // namespace guestd::systemd
