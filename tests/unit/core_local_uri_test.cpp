// SPDX-License-Identifier: LGPL-2.1-or-later
// Which libvirts are reached without a network.
#include <gtest/gtest.h>

#include "core/local_uri.hpp"

namespace guestd::core {
namespace {

TEST(CoreLocalUri, OnlyOneWithoutAHostIsHere) {
    for (const char* uri : {"qemu:///system", "test+unix:///default?socket=/x", "lxc:///system"}) {
        EXPECT_TRUE(is_local(uri)) << uri;
    }
    for (const char* uri : {"qemu+ssh://host/system", "qemu://host/system", "qemu+ssh:///system",
                            "qemu+tcp://localhost/system", "nonsense", ""}) {
        EXPECT_FALSE(is_local(uri)) << uri;
    }
}

}  // namespace
}  // namespace guestd::core
