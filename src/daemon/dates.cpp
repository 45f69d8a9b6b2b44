// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/dates.hpp"

#include <chrono>

namespace guestd::daemon {
namespace {

/// Only runs that are under way are asked for: one, and one parked behind it.
constexpr std::size_t kRunsKept = 8;

WallTime wall_now() {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

}  // namespace

void Dates::stamp(StoreRun& command) {
    if (command.run.started_wall == WallTime{})
        command.run.started_wall = wall_now();
    runs_[command.run.id] = command.run.started_wall;
    if (runs_.size() > kRunsKept)
        runs_.erase(runs_.begin());
    for (auto& entry : command.entries)
        stamp(entry);
}

void Dates::stamp(StoreEntries& command) {
    for (auto& entry : command.entries)
        stamp(entry);
}

void Dates::stamp(ResumeEntry& entry) {
    if (entry.since == WallTime{})
        entry.since = wall_now();
    entries_[{entry.uri, entry.uuid}] = entry.since;
}

void Dates::complete(RunRecord& run) const {
    const auto known = runs_.find(run.id);
    if (run.started_wall == WallTime{} && known != runs_.end())
        run.started_wall = known->second;
}

void Dates::complete(ResumeEntry& entry) const {
    const auto known = entries_.find({entry.uri, entry.uuid});
    if (entry.since == WallTime{} && known != entries_.end())
        entry.since = known->second;
}

}  // namespace guestd::daemon
