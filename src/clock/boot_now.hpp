// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The one place that reads CLOCK_BOOTTIME, for everybody but the core, which is told the time.

#include <chrono>
#include <ctime>

#include "guestd/time.hpp"

namespace guestd {

/// Any thread; does not block.
inline TimePoint boot_now() noexcept {
    timespec now{};
    // Cannot fail: the clock is there since Linux 2.6.39, and the pointer is good.
    clock_gettime(CLOCK_BOOTTIME, &now);
    return TimePoint{std::chrono::seconds{now.tv_sec} +
                     std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{now.tv_nsec})};
}

}  // namespace guestd
