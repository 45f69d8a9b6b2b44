// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How hard the host works: pressure (PSI) and available memory, every second for as long as this
/// lives.
///
/// The kernel is also asked to say when pressure rises (a PSI trigger), so that the reading does
/// not wait for the second to end. Where it refuses, for want of privilege or support, the second
/// does. The figure itself, "avg10", is brought up to date by the kernel every two seconds.

#include <array>
#include <string>

#include "guestd/ports/hypervisor.hpp"
#include "sensors/fd.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors {

/// Loop's thread; files of /proc do not block.
class HostMeasure {
public:
    /// `proc`: /proc, or a folder that plays it (in which nothing is ever written). The first
    /// reading is made at once.
    HostMeasure(systemd::Loop& loop, const std::string& proc, EventSink sink);
    HostMeasure(const HostMeasure&) = delete;
    HostMeasure& operator=(const HostMeasure&) = delete;

private:
    struct Trigger {
        Fd fd;
        systemd::IoSource source;
    };
    void arm_trigger(Trigger& trigger, const std::string& path);
    void on_trigger(Trigger& trigger, std::uint32_t revents);
    void measure();

    systemd::Loop& loop_;
    std::string proc_;
    EventSink sink_;
    std::array<Trigger, 3> triggers_;
    systemd::TimeSource timer_;
};

}  // namespace guestd::sensors
