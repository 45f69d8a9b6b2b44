// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The core has no calendar: rows for people are dated on their way to the store, and what the core
/// shows of them afterwards is given the same date.

#include <map>
#include <string>
#include <utility>

#include "guestd/commands.hpp"
#include "guestd/time.hpp"

namespace guestd::daemon {

class Dates {
public:
    /// Dates what has no date yet.
    void stamp(StoreRun& command);
    void stamp(StoreEntries& command);

    /// Gives what has no date the one that its row was given, if that was in this life.
    void complete(RunRecord& run) const;
    void complete(ResumeEntry& entry) const;

private:
    void stamp(ResumeEntry& entry);

    std::map<RunId, WallTime> runs_;
    std::map<std::pair<std::string, Uuid>, WallTime> entries_;  ///< URI and guest
};

}  // namespace guestd::daemon
