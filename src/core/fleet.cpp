// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/fleet.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace guestd::core {
namespace {

/// The state that an event leaves a guest in; empty = as it was.
std::optional<GuestState> state_after(Lifecycle what) {
    switch (what) {
        case Lifecycle::booted:
        case Lifecycle::restored:
        case Lifecycle::started:
        case Lifecycle::resumed:
            return GuestState::running;
        case Lifecycle::suspended:
            return GuestState::paused;
        case Lifecycle::shutting_down:
            return GuestState::shutting_down;
        case Lifecycle::shut_down:
        case Lifecycle::saved:
        case Lifecycle::destroyed:
        case Lifecycle::migrated:
        case Lifecycle::stopped:
        case Lifecycle::crashed:
            return GuestState::shutoff;
        case Lifecycle::pmsuspended:
            return GuestState::pmsuspended;
        case Lifecycle::defined:
        case Lifecycle::undefined:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Fleet::Fleet(std::vector<std::string> uris) {
    for (auto& uri : uris)
        uris_.push_back(UriState{.uri = std::move(uri)});
}

void Fleet::know(const std::vector<std::string>& uris) {
    for (auto& state : uris_)
        state.known = state.known || std::ranges::find(uris, state.uri) != uris.end();
}

void Fleet::apply(const InventoryListed& event, TimePoint now) {
    auto& state = uris_.at(static_cast<std::size_t>(event.uri));
    if (!state.listed)
        state.since = now;
    state.listed = state.known = true;
    state.reason.clear();
    state.long_calls = std::max(1U, event.long_calls);

    std::set<Uuid> seen;
    for (const auto& info : event.guests) {
        seen.insert(info.uuid);
        auto& guest = guests_[GuestId{event.uri, info.uuid}];
        guest.id = GuestId{event.uri, info.uuid};
        // An event that the new listing contradicts is history.
        if (is_active(guest.info.state) != is_active(info.state))
            guest.last.reset();
        // Its event was lost, as those of a libvirt daemon are that ends.
        if (is_active(guest.info.state) && info.state == GuestState::shutoff && info.managed_save &&
            !guest.info.managed_save)
            guest.saved_at = now;
        guest.info = info;
        guest.paused_by_us = guest.paused_by_us && info.state == GuestState::paused;
    }
    std::erase_if(guests_, [&](const auto& entry) {
        return entry.first.uri == event.uri && !seen.contains(entry.first.uuid);
    });
}

void Fleet::apply(const UriLost& event, TimePoint now) {
    auto& state = uris_.at(static_cast<std::size_t>(event.uri));
    if (state.listed || state.since == TimePoint{})
        state.since = now;
    state.listed = false;
    state.reason = event.reason;
}

void Fleet::apply(const GuestChanged& event, TimePoint now) {
    auto found = guests_.find(event.guest);
    // libvirt 11.3 tells no more than this of a start that it gave up at once.
    if (event.what == Lifecycle::shutting_down && !is_active(state(event.guest)))
        return;
    if (found == guests_.end()) {
        if (!is_start(event.what) && event.what != Lifecycle::defined)
            return;  // of a guest we never saw, and that no longer matters
        found = guests_.emplace(event.guest, Guest{.id = event.guest}).first;
        found->second.info.uuid = event.guest.uuid;
        found->second.info.persistent = event.persistent;
    }
    auto& guest = found->second;
    if (!event.name.empty())
        guest.info.name = event.name;
    if (event.what == Lifecycle::defined)
        guest.info.persistent = true;
    if (event.what == Lifecycle::undefined) {
        guest.info.persistent = false;
        if (!is_active(guest.info.state))
            guests_.erase(found);
        return;
    }
    if (const auto state = state_after(event.what))
        guest.info.state = *state;
    guest.paused_by_us = guest.paused_by_us && guest.info.state == GuestState::paused;
    if (is_start(event.what) || is_stop(event.what))
        guest.last = event.what;
    if (is_start(event.what))
        guest.info.managed_save = guest.info.starting = false;
    if (event.what == Lifecycle::saved) {
        guest.info.managed_save = true;
        guest.saved_at = now;
    }
    if (is_stop(event.what)) {
        guest.info.agent_connected = guest.info.saving = guest.info.starting = false;
        if (!guest.info.persistent)
            guest.info.state = GuestState::absent;
    }
}

void Fleet::apply(const AutostartListed& event) {
    const std::set<Uuid> flagged{event.flagged.begin(), event.flagged.end()};
    for (auto at = guests_.lower_bound(GuestId{event.uri, {}});
         at != guests_.end() && at->first.uri == event.uri; ++at)
        at->second.info.autostart = flagged.contains(at->first.uuid);
}

void Fleet::apply(const AgentChanged& event) {
    if (const auto found = guests_.find(event.guest); found != guests_.end()) {
        found->second.info.agent_channel = true;
        found->second.info.agent_connected = event.connected;
    }
}

void Fleet::observe(const GuestId& id, const GuestInfo& info) {
    const auto found = guests_.find(id);
    if (found == guests_.end())
        return;
    auto& known = found->second.info;
    if (is_active(known.state) != is_active(info.state))
        found->second.last.reset();  // of an earlier start or stop; what told of this one comes
    auto fresh = info;
    if (info.state == GuestState::absent) {  // nothing else could be read of it
        fresh = known;
        fresh.state = GuestState::absent;
        fresh.saving = fresh.managed_save = fresh.starting = false;
    }
    if (fresh.name.empty())
        fresh.name = known.name;
    known = std::move(fresh);
    found->second.paused_by_us = found->second.paused_by_us && known.state == GuestState::paused;
}

void Fleet::paused_by_us(const GuestId& id) {
    if (const auto found = guests_.find(id); found != guests_.end())
        found->second.paused_by_us = found->second.info.state == GuestState::paused;
}

const Guest* Fleet::find(const GuestId& id) const {
    const auto found = guests_.find(id);
    return found == guests_.end() ? nullptr : &found->second;
}

bool Fleet::up(const GuestId& id) const {
    const auto* guest = find(id);
    return guest != nullptr && is_up(guest->info);
}

GuestState Fleet::state(const GuestId& id) const {
    const auto* guest = find(id);
    return guest == nullptr ? GuestState::absent : guest->info.state;
}

std::vector<const Guest*> Fleet::guests(UriId uri) const {
    std::vector<const Guest*> found;
    for (auto at = guests_.lower_bound(GuestId{uri, {}});
         at != guests_.end() && at->first.uri == uri; ++at)
        found.push_back(&at->second);
    return found;
}

std::optional<UriId> Fleet::uri_id(const std::string& uri) const {
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (uris_[i].uri == uri)
            return static_cast<UriId>(i);
    return std::nullopt;
}

std::string Fleet::name_of(const GuestId& id) const {
    const auto* guest = find(id);
    return guest == nullptr || guest->info.name.empty() ? id.uuid.str() : guest->info.name;
}

}  // namespace guestd::core
