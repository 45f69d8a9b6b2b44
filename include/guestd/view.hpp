// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the core shows of itself: plain values for status, bus and console.

#include <optional>
#include <string>
#include <vector>

#include "guestd/records.hpp"

namespace guestd {

/// One guest's way through the active run.
struct GuestProgress {
    GuestId guest;
    std::string name;
    std::string phase;  ///< "waiting", "starting", "settling", "shutdown", "save", …, "done"
    std::optional<TimePoint> since;     ///< of the phase
    TimePoint phase_deadline = kNever;  ///< when the phase ends at the latest
    unsigned attempts = 0;              ///< requests sent, or starts tried
    std::string held_for;               ///< what a waiting guest waits for
    std::string answer;                 ///< to a shutdown: "silent, asked 3 times"
    Bytes done{};
    Bytes total{};
    Outcome outcome = Outcome::pending;
    std::string cause;
};

struct RunProgress {
    RunRecord run;
    std::size_t total = 0;
    std::size_t finished = 0;
    /// URIs that the run waits for, with the reason.
    std::vector<std::string> waiting_for;
};

}  // namespace guestd
