// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Time, as the core sees it.
///
/// All durations and deadlines are measured on CLOCK_BOOTTIME: it never jumps, goes on while the
/// host is suspended, and restarts at zero with each boot (so a stored TimePoint means something
/// only together with its boot id). The wall clock is for display only.
/// The type has no `now()`: whoever needs the time is handed it as a parameter.

#include <chrono>

namespace guestd {

struct BootClock {
    using duration = std::chrono::microseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
};

using Duration = BootClock::duration;
using TimePoint = BootClock::time_point;
/// Wall clock, microseconds since the epoch: only stored and shown, never compared.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

inline constexpr TimePoint kNever = TimePoint::max();

}  // namespace guestd
