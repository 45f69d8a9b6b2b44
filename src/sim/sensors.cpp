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

TimePoint World::serves_from(const Guest& guest) const {
    return guest.up_at + guest.model.serves_after.value_or(guest.model.boot_time);
}

void World::watch(const Watch& watch) {
    watches_.emplace(watch.id, watch);
    const auto tell_at = [this, id = watch.id](TimePoint when) {
        if (when != kNever)
            clock_.schedule(std::max(when, clock_.now()), [this, id] { tell_watch(id); });
    };
    tell_at(clock_.now());
    if (const auto* need = std::get_if<Need>(&watch.what)) {
        for (const auto& opening : needs_)
            if (opening.need == *need)
                tell_at(opening.from), tell_at(opening.to);
        for (const auto& [id, guest] : guests_)
            if (need->kind == NeedKind::path && need->target == "/disks/" + guest.model.name)
                tell_at(guest.model.disk_from);
        return;
    }
    if (std::get<Probe>(watch.what).kind == ProbeKind::io_settle)
        return tell_io(watch.id);
    tell_at(serves_from(guest(watch.guest)));
}

void World::tell_watch(WatchId id) {
    const auto found = watches_.find(id);
    if (found == watches_.end() || !client_)
        return;
    const auto* need = std::get_if<Need>(&found->second.what);
    const auto& about = guest(found->second.guest);
    const bool there = need != nullptr
                           ? holds(*need)
                           : is_active(about.truth.state) && clock_.now() >= serves_from(about);
    tell(WatchChanged{id, there, there ? "" : "not there yet"});
}

void World::tell_io(WatchId id) {
    const auto found = watches_.find(id);
    if (found == watches_.end())
        return;
    const auto& about = guest(found->second.guest);
    const auto up = std::max(clock_.now() - about.up_at, Duration::zero());
    const auto waited =
        std::clamp(up - about.model.starved_after, Duration::zero(), about.model.starved_for);
    const auto ran = up - waited;
    const auto busy = about.model.never_rests ? ran : std::min(ran, about.model.boot_time);
    const auto seconds = std::chrono::duration<double>(busy).count();
    if (client_)
        tell(IoMeasured{.id = id,
                        .total = Bytes{static_cast<std::uint64_t>(seconds * kBootRate)},
                        .measured = about.model.has_io,
                        .at = clock_.now(),
                        .waited = waited});
    clock_.schedule_in(kTick, [this, id] { tell_io(id); });
}

void World::host_is(TimePoint from, HostMeasured measure) {
    clock_.schedule(from, [this, measure] {
        host_ = measure;
        tell_host();
    });
}

void World::watch_host(bool wanted) {
    host_watched_ = wanted;
    clock_.schedule_in(Duration::zero(), [this] { tell_host(); });
}

void World::tell_host() {
    if (client_ && host_watched_)
        tell(host_);
}

SavedImage World::image_of(const Guest& guest) const {
    return {.partial = guest.model.image_partial,
            .identity = "disk " + std::to_string(guest.model.disk_version) + "\nimage " +
                        std::to_string(guest.image_version),
            .differences = guest.model.image_differences};
}

}  // namespace guestd::sim
