// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The world's frame: who is there, who is connected, what reaches the client.
#include "sim/world.hpp"

#include <utility>

namespace guestd::sim {
namespace {

Uuid uuid_of(UriId uri, std::size_t number) {
    Uuid::Raw raw{};
    raw[0] = static_cast<std::uint8_t>(static_cast<unsigned>(uri) + 1);
    raw[13] = static_cast<std::uint8_t>((number + 1) >> 16);
    raw[14] = static_cast<std::uint8_t>((number + 1) >> 8);
    raw[15] = static_cast<std::uint8_t>(number + 1);
    return Uuid{raw};
}

}  // namespace

UriId World::add_uri(UriModel model) {
    const auto id = static_cast<UriId>(uris_.size());
    const auto bandwidth = model.bandwidth;
    const auto stream = model.stream;
    uris_.push_back(std::make_unique<Uri>(
        Uri{.model = std::move(model), .disk = Disk{clock_, bandwidth, stream}}));
    uri(id).way_back = uri(id).model.answers_from;
    return id;
}

GuestId World::add_guest(UriId uri_id, GuestModel model) {
    Guest guest;
    guest.id = GuestId{uri_id, uuid_of(uri_id, guests_.size())};
    guest.truth.state = model.state;
    guest.truth.managed_save = model.managed_save;
    guest.listening = model.state == GuestState::running;
    guest.agent_connected = guest.listening && model.agent != Agent::none;
    guest.model = std::move(model);
    const auto id = guest.id;
    guests_.emplace(id, std::move(guest));
    return id;
}

std::vector<std::string> World::uris() const {
    std::vector<std::string> texts;
    for (const auto& uri : uris_)
        texts.push_back(uri->model.uri);
    return texts;
}

std::vector<GuestId> World::guests() const {
    std::vector<GuestId> ids;
    for (const auto& [id, guest] : guests_)
        ids.push_back(id);
    return ids;
}

bool World::frozen(const Uri& uri) const {
    return clock_.now() >= uri.frozen_from && clock_.now() < uri.frozen_to;
}

void World::as_daemon(UriId id, Duration delay, Clockwork::Action action) {
    const auto life = uri(id).daemon;
    clock_.schedule_in(delay, [this, id, life, action = std::move(action)] {
        auto& uri = this->uri(id);
        if (!uri.daemon_up || uri.daemon != life)
            return;
        if (!frozen(uri))
            return action();
        if (uri.frozen_to != kNever)
            as_daemon(id, uri.frozen_to - clock_.now(), action);
    });
}

void World::freeze(UriId id, TimePoint from, TimePoint to) {
    clock_.schedule(from, [this, id, from, to] {
        auto& uri = this->uri(id);
        uri.frozen_from = from;
        uri.frozen_to = to;
        if (uri.model.keepalive == Duration::zero())
            return;
        clock_.schedule_in(uri.model.keepalive, [this, id, to] {
            if (!frozen(this->uri(id)))
                return;
            this->uri(id).way_back = to;
            lose(id, "no answer to keepalive");
        });
    });
}

void World::kill_daemon(UriId id, TimePoint from, TimePoint to) {
    clock_.schedule(from, [this, id, to] {
        auto& uri = this->uri(id);
        uri.daemon_up = false;
        ++uri.daemon;
        uri.busy = uri.busy_urgent = 0;
        uri.backlog.clear();
        uri.urgent_backlog.clear();
        uri.way_back = to;
        lose(id, "libvirtd has gone");
        clock_.schedule(to, [this, id] { daemon_returns(id); });
    });
}

/// What libvirt does with the jobs that its earlier life left: a save is undone; a guest that was
/// being started is still there, until it is looked at and killed.
void World::daemon_returns(UriId id) {
    uri(id).daemon_up = true;
    for (auto& [guest_id, guest] : guests_) {
        if (guest_id.uri != id)
            continue;
        guest.waiting.clear();
        guest.job_call.reset();
        uri(id).disk.abort(guest_id);
        if (guest.job == Job::save)
            undo_save(guest);
        if (guest.job == Job::start || guest.half_started)
            give_up_start(guest);
        guest.job = Job::none;
    }
}

void World::give_up_start(Guest& guest) {
    guest.half_started = true;
    guest.truth.state = GuestState::paused;
    as_daemon(guest.id.uri, uri(guest.id).model.half_started, [this, id = guest.id] {
        auto& dead = this->guest(id);
        if (dead.half_started)
            off(dead, Lifecycle::crashed);
    });
}

void World::cut(UriId id, TimePoint from, TimePoint to) {
    clock_.schedule(from, [this, id, to] {
        uri(id).way_back = to;
        lose(id, "connection reset");
    });
}

void World::cut_calls(const GuestId& id) {
    auto& uri = this->uri(id);
    std::erase_if(uri.pending, [&](const auto& pending) {
        const auto& [call, guest] = pending;
        if (guest != id)
            return false;
        deliver(id.uri, Duration::zero(),
                CallReturned{.id = call,
                             .guest = guest,
                             .status = CallStatus::unknown,
                             .message = "connection reset",
                             .observed = {}});
        return true;
    });
}

void World::lose(UriId id, const std::string& reason) {
    auto& uri = this->uri(id);
    const bool told = std::exchange(uri.connected, false);
    ++uri.connection;
    if (client_ && told) {
        tell(UriLost{id, reason});
        for (const auto& [call, guest] : std::exchange(uri.pending, {}))
            tell(CallReturned{.id = call,
                              .guest = guest,
                              .status = CallStatus::unknown,
                              .message = reason,
                              .observed = {}});
    }
    uri.pending.clear();
    if (client_)
        connect(id);
}

void World::connect_client() {
    client_ = true;
    for (std::size_t i = 0; i < uris_.size(); ++i)
        connect(static_cast<UriId>(i));
}

void World::client_died() {
    client_ = false;
    ++client_life_;
    inbox_.clear();
    watches_.clear();
    host_watched_ = false;
    for (auto& uri : uris_) {
        uri->connected = false;
        ++uri->connection;
        uri->pending.clear();
    }
}

void World::connect(UriId id) {
    auto& uri = this->uri(id);
    if (uri.way_back == kNever)
        return;
    const auto life = client_life_;
    const auto connection = uri.connection;
    const auto wait = uri.way_back > clock_.now() ? uri.way_back - clock_.now() : Duration::zero();
    clock_.schedule_in(wait + uri.model.latency, [this, id, life, connection] {
        as_daemon(id, this->uri(id).model.reconnect, [this, id, life, connection] {
            auto& back = this->uri(id);
            if (!client_ || client_life_ != life || back.connection != connection)
                return;
            back.connected = true;
            ++back.connection;
            InventoryListed listed{.uri = id, .guests = {}, .long_calls = back.model.long_calls};
            for (const auto& [guest_id, guest] : guests_)
                if (guest_id.uri == id && guest.truth.state != GuestState::absent)
                    listed.guests.push_back(info_of(guest));
            tell(std::move(listed));
        });
    });
}

GuestInfo World::info_of(const Guest& guest) const {
    return GuestInfo{.uuid = guest.id.uuid,
                     .name = guest.model.name,
                     .state = guest.truth.state,
                     .persistent = guest.model.persistent,
                     .autostart = guest.model.autostart,
                     .managed_save = guest.truth.managed_save,
                     .agent_channel = guest.model.agent != Agent::none,
                     .agent_connected = guest.agent_connected,
                     .remembered = guest.truth.remembered,
                     .saving = guest.job == Job::save,
                     .starting = guest.half_started,
                     .memory = guest.model.memory,
                     .metadata = guest.model.metadata};
}

void World::deliver(UriId id, Duration delay, Event event) {
    const auto connection = uri(id).connection;
    clock_.schedule_in(delay, [this, id, connection, event = std::move(event)]() mutable {
        if (client_ && uri(id).connected && uri(id).connection == connection)
            tell(std::move(event));
    });
}

void World::emit(Guest& guest, Lifecycle what) {
    const GuestChanged event{guest.id, what, guest.model.name, guest.model.persistent};
    as_daemon(guest.id.uri, Duration::zero(), [this, event] {
        const auto& model = uri(event.guest).model;
        if (dice_.chance(model.faults.lost))
            return;
        const bool late = dice_.chance(model.faults.late);
        deliver(event.guest.uri, model.latency + (late ? model.faults.delay : Duration::zero()),
                event);
        if (dice_.chance(model.faults.doubled))
            deliver(event.guest.uri, model.latency + model.faults.delay, event);
    });
}

void World::list_autostart(UriId id) {
    as_daemon(id, uri(id).model.latency, [this, id] {
        AutostartListed listed{.uri = id, .flagged = {}, .answers = true};
        for (const auto& [guest_id, guest] : guests_)
            if (guest_id.uri == id && guest.model.autostart)
                listed.flagged.push_back(guest_id.uuid);
        deliver(id, Duration::zero(), std::move(listed));
    });
}

void World::tell_agent(Guest& guest, bool connected) {
    guest.agent_connected = connected;
    as_daemon(guest.id.uri, Duration::zero(), [this, id = guest.id, connected] {
        deliver(id.uri, uri(id).model.latency, AgentChanged{id, connected});
    });
}

}  // namespace guestd::sim
