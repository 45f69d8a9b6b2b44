// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The newest run that has ended, with how many guests it had and how many came out of it badly.
///
/// Of a run that both began and ended in our own life all of it is heard on its way to the store.
/// Other runs are in the history, which is read off the loop; until that has answered there are no
/// counts.

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/history_reader.hpp"
#include "guestd/machine.hpp"
#include "guestd/time.hpp"
#include "systemd/bus_facade.hpp"

namespace guestd::daemon {

class LastRun {
public:
    LastRun() : read_(std::make_shared<Read>()) {}

    /// What goes to the store.
    void heard(const StoreRun& begun);
    void heard(const StoreGuest& row);
    void heard(const StoreRunEnd& end);

    /// Loop's thread; does not block. Asks the history when there is something new to know.
    std::optional<bus::RunView> view(const Machine& machine, HistoryReader& history, TimePoint now);

private:
    struct Read {
        bool under_way = false;
        bool done = false;  ///< at least once
        std::optional<bus::RunView> view;
    };
    using Outcomes = std::map<std::pair<std::string, Uuid>, Outcome>;
    void ask(HistoryReader& history);

    std::map<RunId, Outcomes> under_way_;  ///< a boot run and the drain that supersedes it, at most
    std::optional<bus::RunView> ended_;
    TimePoint ask_again_{};
    std::shared_ptr<Read> read_;  ///< outlives us while the history is being asked
};

/// With what the rows say of its guests.
bus::RunView view_of(RunRecord record, const std::vector<RunGuestRecord>& guests);

}  // namespace guestd::daemon
