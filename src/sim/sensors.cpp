// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the host itself and the guests' disks and services tell to who watches them.
#include <algorithm>

#include "sim/world.hpp"

namespace guestd::sim {
namespace {

/// As often as the real sensors look.
constexpr Duration kTick = 1s;
/// Of a guest that boots, per second.
constexpr std::uint64_t kBootRate = 20ULL << 20;

}  // namespace

void World::need(const Need& need, TimePoint from, TimePoint to) {
    needs_.push_back({need, from, to});
}

bool World::holds(const Need& need) const {
    bool named = false;
    for (const auto& opening : needs_) {
        if (opening.need != need)
            continue;
        named = true;
        if (opening.from <= clock_.now() && clock_.now() < opening.to)
            return true;
    }
    if (need.kind == NeedKind::path)
        for (const auto& [id, guest] : guests_)
            if (need.target == "/disks/" + guest.model.name)
                return clock_.now() >= guest.model.disk_from;
    return !named;
}

bool World::serves(const Guest& guest) const {
    const auto after = guest.model.serves_after.value_or(guest.model.boot_time);
    return is_active(guest.truth.state) && clock_.now() >= guest.up_at + after;
}

void World::watch(const Watch& watch) {
    watches_.emplace(watch.id, watch);
    const auto* probe = std::get_if<Probe>(&watch.what);
    if (probe != nullptr && probe->kind == ProbeKind::io_settle)
        return tell_io(watch.id);
    clock_.schedule_in(Duration::zero(), [this, id = watch.id] { tell_watch(id); });
}

/// At every tick: events may come doubled.
void World::tell_watch(WatchId id) {
    const auto found = watches_.find(id);
    if (found == watches_.end())
        return;
    const auto& watch = found->second;
    const auto* need = std::get_if<Need>(&watch.what);
    const bool there = need != nullptr ? holds(*need) : serves(guest(watch.guest));
    if (client_)
        tell(WatchChanged{id, there, there ? "" : "not there yet"});
    clock_.schedule_in(kTick, [this, id] { tell_watch(id); });
}

void World::tell_io(WatchId id) {
    const auto found = watches_.find(id);
    if (found == watches_.end())
        return;
    const auto& about = guest(found->second.guest);
    const auto up = std::max(clock_.now() - about.up_at, Duration::zero());
    const auto busy = about.model.never_rests ? up : std::min(up, about.model.boot_time);
    const auto seconds = std::chrono::duration<double>(busy).count();
    if (client_)
        tell(IoMeasured{.id = id,
                        .total = Bytes{static_cast<std::uint64_t>(seconds * kBootRate)},
                        .measured = about.model.has_io,
                        .at = clock_.now()});
    clock_.schedule_in(kTick, [this, id] { tell_io(id); });
}

void World::host_is(TimePoint from, HostMeasured measure) {
    clock_.schedule(from, [this, measure] { host_ = measure; });
}

void World::watch_host(bool wanted) {
    host_watched_ = wanted;
    tell_host(++host_turn_);
}

void World::tell_host(unsigned turn) {
    if (!host_watched_ || turn != host_turn_)
        return;
    clock_.schedule_in(Duration::zero(), [this, turn] {
        if (client_ && host_watched_ && turn == host_turn_)
            tell(host_);
    });
    clock_.schedule_in(kTick, [this, turn] { tell_host(turn); });
}

SavedImage World::image_of(const Guest& guest) const {
    return {.partial = guest.model.image_partial,
            .identity = "disk " + std::to_string(guest.model.disk_version) + "\nimage " +
                        std::to_string(guest.image_version),
            .differences = guest.model.image_differences};
}

}  // namespace guestd::sim
