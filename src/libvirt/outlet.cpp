// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/outlet.hpp"

#include <algorithm>
#include <utility>

namespace guestd::libvirt {

void recall(const KnownGuest& known, GuestInfo& info) {
    info.memory = known.memory;
    info.agent_channel = known.agent_channel;
    info.agent_connected = known.agent_connected;
    info.metadata = known.metadata;
    info.remembered = known.remembered;
}

Outlet::Outlet(UriId uri, EventSink sink) : uri_(uri), sink_(std::move(sink)) {}

void Outlet::count_change(const Uuid& uuid) {
    last_change_[uuid] = ++changes_;
}

Outlet::Mark Outlet::current(const Uuid& uuid) const {
    const auto found = last_change_.find(uuid);
    return {listings_, found == last_change_.end() ? forgotten_ : found->second};
}

void Outlet::tell(Event event) {
    if (listing_) {
        held_back_.push_back(std::move(event));
    } else {
        sink_(std::move(event));
    }
}

void Outlet::digest(GuestChanged& event) {
    // A guest that starts without ever having been listed or defined is a transient one.
    auto& guest = known_[event.guest.uuid];
    guest.name = event.name;
    if (event.what == Lifecycle::defined) {
        guest.persistent = guest.stale = true;
    } else if (event.what == Lifecycle::undefined) {
        guest.persistent = false;
    } else {
        // libvirt 11.3 tells no more than `shutting_down` of a start that it gave up at once.
        if (event.what != Lifecycle::shutting_down) {
            guest.active = !is_stop(event.what);
        }
        guest.agent_connected = guest.agent_connected && guest.active;
    }
    guest.runs_without_image = guest.runs_without_image && !is_start(event.what);
    guest.start_untold = guest.start_untold && !is_start(event.what);
    guest.end_told = event.what == Lifecycle::shut_down && !guest.start_untold;
    if (event.what != Lifecycle::suspended && event.what != Lifecycle::resumed) {
        guest.disks.reset();
    }
    event.persistent = guest.persistent;
    if (!guest.persistent && !guest.active) {
        known_.erase(event.guest.uuid);
        last_change_.erase(event.guest.uuid);
        forgotten_ = changes_;
    }
}

void Outlet::guest_changed(const Uuid& uuid, Lifecycle what, const std::string& name) {
    const std::lock_guard lock{mutex_};
    if (closed_) {
        return;
    }
    count_change(uuid);
    GuestChanged event{.guest = {uri_, uuid}, .what = what, .name = name};
    if (!listing_) {
        digest(event);
    }
    tell(std::move(event));
}

void Outlet::agent_changed(const Uuid& uuid, bool connected) {
    const std::lock_guard lock{mutex_};
    if (closed_) {
        return;
    }
    count_change(uuid);
    if (const auto found = known_.find(uuid); found != known_.end()) {
        found->second.agent_channel = true;
        found->second.agent_connected = connected;
    }
    tell(AgentChanged{{uri_, uuid}, connected});
}

void Outlet::save_written(const Uuid& uuid) {
    post(SaveWritten{{uri_, uuid}});
}

void Outlet::look_again(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    if (listing_) {
        outdated_.push_back(uuid);
    } else {
        outdate(uuid);
    }
}

void Outlet::outdate(const Uuid& uuid) {
    const auto found = known_.find(uuid);
    // `defined` would make a transient guest a persistent one.
    if (closed_ || found == known_.end() || !found->second.persistent) {
        return;
    }
    count_change(uuid);
    found->second.stale = true;
    sink_(GuestChanged{
        .guest = {uri_, uuid}, .what = Lifecycle::defined, .name = found->second.name});
}

void Outlet::devices_changed(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    count_change(uuid);
    if (const auto found = known_.find(uuid); found != known_.end()) {
        found->second.disks.reset();
    }
}

void Outlet::marked(const Uuid& uuid, bool remembered) {
    const std::lock_guard lock{mutex_};
    if (const auto found = known_.find(uuid); found != known_.end()) {
        found->second.remembered = remembered;
    }
}

void Outlet::disks_found(const Uuid& uuid, const Mark& seen, std::vector<std::string> disks) {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(uuid);
    if (found != known_.end() && current(uuid) == seen) {
        found->second.disks = std::move(disks);
    }
}

void Outlet::begin_listing() {
    const std::lock_guard lock{mutex_};
    listing_ = true;
    held_back_.clear();
    outdated_.clear();
    ++listings_;
}

void Outlet::remember(const GuestInfo& info, Depth depth) {
    auto& guest = known_[info.uuid];
    const bool without_image =
        depth == Depth::least ? guest.runs_without_image : !info.managed_save;
    guest =
        KnownGuest{.name = info.name,
                   .persistent = info.persistent,
                   .active = is_active(info.state),
                   .memory = info.memory,
                   .agent_channel = info.agent_channel,
                   .agent_connected = info.agent_connected,
                   .metadata = info.metadata,
                   .remembered = info.remembered,
                   .autostart = info.autostart,
                   .runs_without_image = is_active(info.state) && without_image,
                   .start_untold = is_active(info.state) && (guest.start_untold || !guest.active),
                   .stale = depth == Depth::least && guest.stale,
                   .disks = std::move(guest.disks)};
}

void Outlet::publish(InventoryListed listing) {
    const std::lock_guard lock{mutex_};
    listing_ = false;
    if (closed_) {
        return;
    }
    known_.clear();
    suspects_.clear();
    last_change_.clear();
    ++listings_;
    outage_told_ = false;
    for (const auto& guest : listing.guests) {
        remember(guest, Depth::definition);
        // Were an older end still on its way, the start that followed it would be right behind it.
        known_[guest.uuid].start_untold = false;
    }
    listing.uri = uri_;
    sink_(std::move(listing));
    for (auto& event : std::exchange(held_back_, {})) {
        if (auto* change = std::get_if<GuestChanged>(&event)) {
            digest(*change);
            if (const auto found = known_.find(change->guest.uuid); found != known_.end()) {
                found->second.end_told = false;  // it may be older than the listing
            }
        }
        sink_(std::move(event));
    }
    for (const auto& uuid : std::exchange(outdated_, {})) {
        outdate(uuid);
    }
}

void Outlet::lost(const std::string& reason) {
    const std::lock_guard lock{mutex_};
    listing_ = false;
    ++listings_;
    if (!closed_ && !std::exchange(outage_told_, true)) {
        sink_(UriLost{uri_, reason});
    }
}

void Outlet::agent_found(const Uuid& uuid, const Mark& seen, bool connected) {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(uuid);
    if (closed_ || found == known_.end() || current(uuid) != seen) {
        return;
    }
    found->second.agent_channel = true;
    found->second.agent_connected = connected;
    sink_(AgentChanged{{uri_, uuid}, connected});
}

Outlet::Mark Outlet::now() const {
    const std::lock_guard lock{mutex_};
    return {listings_, changes_};
}

bool Outlet::active_read(const Mark& seen, const std::unordered_set<Uuid>& active) {
    const std::lock_guard lock{mutex_};
    if (closed_ || listing_ || seen.listing != listings_) {
        return false;
    }
    std::unordered_map<Uuid, std::uint64_t> suspects;
    std::vector<Uuid> gone;
    for (const auto& [uuid, guest] : known_) {
        // Its own alone: that others are forgotten tells nothing of it.
        const auto last = last_change_.find(uuid);
        const auto change = last == last_change_.end() ? 0 : last->second;
        if (!guest.active || active.contains(uuid) || change > seen.change) {
            continue;
        }
        const auto before = suspects_.find(uuid);
        if (before != suspects_.end() && before->second == change) {
            gone.push_back(uuid);
        } else {
            suspects.emplace(uuid, change);
        }
    }
    suspects_ = std::move(suspects);
    for (const auto& uuid : gone) {
        tell_gone(uuid);
    }
    return !suspects_.empty();
}

/// `defined` has it read again, with whatever image it left; of a transient one nothing is left.
void Outlet::tell_gone(const Uuid& uuid) {
    auto& guest = known_.at(uuid);
    guest.active = guest.agent_connected = false;  // told once; a reading corrects it
    guest.stale = true;
    guest.disks.reset();
    count_change(uuid);
    GuestChanged event{.guest = {uri_, uuid}, .what = Lifecycle::defined, .name = guest.name};
    if (!guest.persistent) {
        event.what = Lifecycle::stopped;
        digest(event);
    }
    sink_(std::move(event));
}

void Outlet::autostart_read(const std::optional<std::unordered_set<Uuid>>& flagged, bool asked) {
    const std::lock_guard lock{mutex_};
    if (closed_) {
        return;
    }
    AutostartListed listed{.uri = uri_, .flagged = {}, .answers = asked};
    bool tell = asked;
    for (auto& [uuid, guest] : known_) {
        if (flagged && guest.autostart != flagged->contains(uuid)) {
            guest.autostart = !guest.autostart;
            count_change(uuid);
            tell = true;
        }
        if (guest.autostart) {
            listed.flagged.push_back(uuid);
        }
    }
    if (tell) {
        sink_(std::move(listed));
    }
}

Outlet::Mark Outlet::mark(const Uuid& uuid) const {
    const std::lock_guard lock{mutex_};
    return current(uuid);
}

bool Outlet::post(const CallReturned& result, const Mark& seen, Depth depth) {
    const std::lock_guard lock{mutex_};
    if (closed_) {
        return true;
    }
    if (current(result.guest.uuid) != seen) {
        return false;
    }
    if (result.observed && result.observed->state != GuestState::absent) {
        remember(*result.observed, depth);
    }
    sink_(result);
    return true;
}

bool Outlet::answer(const Call& call) {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(call.guest.uuid);
    if (closed_ || found == known_.end()) {
        return false;
    }
    auto& guest = found->second;
    // Whatever else is asked for may change it, and fail without a word of what it has done.
    const bool told = std::exchange(guest.end_told, false) && call.kind == CallKind::probe;
    if (!told || listing_ || outage_told_ || !guest.persistent || guest.stale ||
        !guest.runs_without_image) {
        return false;
    }
    GuestInfo info{.uuid = call.guest.uuid, .name = guest.name, .autostart = guest.autostart};
    recall(guest, info);
    remember(info, Depth::state);
    sink_(CallReturned{.id = call.id, .guest = call.guest, .observed = info});
    return true;
}

void Outlet::post(Event event) {
    const std::lock_guard lock{mutex_};
    if (!closed_) {
        sink_(std::move(event));
    }
}

std::optional<KnownGuest> Outlet::known(const Uuid& uuid) const {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(uuid);
    return found == known_.end() ? std::nullopt : std::optional{found->second};
}

std::size_t Outlet::active() const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(
        std::ranges::count_if(known_, [](const auto& each) { return each.second.active; }));
}

void Outlet::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
}

}  // namespace guestd::libvirt
