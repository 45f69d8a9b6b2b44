// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/last_run.hpp"

#include <algorithm>
#include <utility>

namespace guestd::daemon {
namespace {

/// The status is asked for with every event; a record comes to the disk within milliseconds, or the
/// disk is slow.
constexpr Duration kAskAgain = std::chrono::seconds{1};
/// The newest may be active, and one parked behind it.
constexpr unsigned kRunsAsked = 4;

void count(bus::RunView& view, Outcome outcome) {
    ++view.guests;
    view.done += outcome != Outcome::pending;
    view.unclean += outcome != Outcome::pending && !is_clean(outcome);
}

std::optional<bus::RunView> newest_ended(Result<store::History*> history) {
    if (!history)
        return std::nullopt;
    const auto runs = (*history)->runs(kRunsAsked);
    if (!runs)
        return std::nullopt;
    const auto found = std::ranges::find_if(
        *runs, [](const auto& run) { return run.state != RunState::active && run.ended; });
    if (found == runs->end())
        return std::nullopt;
    const auto guests = (*history)->guests(found->id);
    return guests ? std::optional{view_of(*found, *guests)} : std::nullopt;
}

}  // namespace

bus::RunView view_of(RunRecord record, const std::vector<RunGuestRecord>& guests) {
    bus::RunView view{.record = std::move(record)};
    for (const auto& guest : guests)
        count(view, guest.outcome);
    return view;
}

void LastRun::heard(const StoreRun& begun) {
    auto& outcomes = under_way_[begun.run.id];
    for (const auto& guest : begun.guests)
        outcomes[{guest.uri, guest.uuid}] = guest.outcome;
}

void LastRun::heard(const StoreGuest& row) {
    const auto run = under_way_.find(row.guest.run);
    if (run != under_way_.end())
        run->second[{row.guest.uri, row.guest.uuid}] = row.guest.outcome;
}

// One that began before our own life is left to the history.
void LastRun::heard(const StoreRunEnd& end) {
    const auto run = under_way_.extract(end.run.id);
    if (!run)
        return;
    ended_ = bus::RunView{.record = end.run};
    for (const auto& [guest, outcome] : run.mapped())
        count(*ended_, outcome);
}

std::optional<bus::RunView> LastRun::view(const Machine& machine, HistoryReader& history,
                                          TimePoint now) {
    const auto last = machine.last_run();
    if (last && ended_ && ended_->record.id == last->id)
        return ended_;
    const auto& read = read_->view;
    // The record may still be on its way to the disk: asked again with the next look.
    const bool wanted = !read_->done || (last && (!read || read->record.id != last->id));
    if (wanted && !read_->under_way && now >= ask_again_) {
        ask_again_ = now + kAskAgain;
        ask(history);
    }
    if (last && (!read || read->record.id != last->id))
        return bus::RunView{.record = *last};
    return read;
}

void LastRun::ask(HistoryReader& history) {
    read_->under_way = true;
    history.ask([read = read_](Result<store::History*> opened) -> HistoryReader::Answer {
        return [read, found = newest_ended(std::move(opened))] {
            read->under_way = false;
            read->done = true;
            if (found)
                read->view = found;
        };
    });
}

}  // namespace guestd::daemon
