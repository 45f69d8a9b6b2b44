// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The newest run that has ended, with how many guests it had and how many came out of it badly.
///
/// The machine knows the record of a run that ended in its own life; the guests of it, and runs
/// from before, are in the history, which is read off the loop. Until that has answered there are
/// no counts.

#include <memory>
#include <optional>
#include <vector>

#include "daemon/history_reader.hpp"
#include "guestd/machine.hpp"
#include "guestd/time.hpp"
#include "systemd/bus_facade.hpp"

namespace guestd::daemon {

class LastRun {
public:
    LastRun() : read_(std::make_shared<Read>()) {}

    /// Loop's thread; does not block. Asks the history when there is something new to know.
    std::optional<bus::RunView> view(const Machine& machine, HistoryReader& history, TimePoint now);

private:
    struct Read {
        bool under_way = false;
        bool done = false;  ///< at least once
        std::optional<bus::RunView> view;
    };
    void ask(HistoryReader& history);

    TimePoint ask_again_{};
    std::shared_ptr<Read> read_;  ///< outlives us while the history is being asked
};

/// With what the rows say of its guests.
bus::RunView view_of(RunRecord record, const std::vector<RunGuestRecord>& guests);

}  // namespace guestd::daemon
