// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Guests by themselves: they boot, go down, crash and are pulled the plug on, whether or not a
// libvirt looks at them.
#include "sim/world.hpp"

namespace guestd::sim {
namespace {

/// A guest that goes on after an aborted save finishes what it was about.
constexpr Duration kGoesOn = 1s;

}  // namespace

void World::come_up(Guest& guest, Lifecycle how) {
    ++guest.life;
    guest.up_at = clock_.now();
    const bool restored = how == Lifecycle::restored;
    ++(restored ? guest.truth.restores : guest.truth.boots);
    const bool paused = restored && guest.image_paused;
    guest.truth.state = paused ? GuestState::paused : GuestState::running;
    guest.truth.managed_save = guest.stopping = guest.listening = false;
    emit(guest, how);
    if (paused)
        return emit(guest, Lifecycle::suspended);
    const auto time = restored ? Duration::zero() : guest.model.boot_time;
    clock_.schedule_in(time, [this, id = guest.id, life = guest.life] {
        auto& booted = this->guest(id);
        if (booted.life != life)
            return;
        booted.listening = true;
        if (booted.model.agent != Agent::none)
            tell_agent(booted, true);
    });
}

void World::go_down_in(Guest& guest, Duration time) {
    if (guest.stopping)
        return;
    guest.stopping = true;
    clock_.schedule_in(time, [this, id = guest.id, life = guest.life] {
        auto& stopping = this->guest(id);
        if (stopping.life == life && stopping.stopping)
            go_down(stopping);
    });
}

void World::go_down(Guest& guest) {
    guest.stopping = false;
    if (guest.truth.state != GuestState::running) {
        // Paused: it goes on when it runs again.
        guest.listening = true;
        if (guest.job == Job::save)
            guest.stopping = true;
        return;
    }
    if (guest.model.crashes_when_stopping)
        return off(guest, Lifecycle::crashed);
    if (guest.model.restarts_on_poweroff) {
        ++guest.life;
        ++guest.truth.boots;
        guest.listening = false;
        clock_.schedule_in(guest.model.boot_time, [this, id = guest.id, life = guest.life] {
            if (this->guest(id).life == life)
                this->guest(id).listening = true;
        });
        return;
    }
    if (guest.model.flush == Duration::zero())
        return off(guest, Lifecycle::shut_down);
    guest.truth.state = GuestState::shutting_down;
    emit(guest, Lifecycle::shutting_down);
    clock_.schedule_in(guest.model.flush, [this, id = guest.id, life = guest.life] {
        if (this->guest(id).life == life)
            off(this->guest(id), Lifecycle::shut_down);
    });
}

void World::off(Guest& guest, Lifecycle how) {
    ++guest.life;
    guest.truth.state = guest.model.persistent ? GuestState::shutoff : GuestState::absent;
    guest.truth.down = clock_.now();
    guest.truth.kills += how == Lifecycle::destroyed ? 1 : 0;
    guest.stopping = guest.listening = guest.agent_connected = guest.half_started = false;
    emit(guest, how);
}

void World::undo_save(Guest& guest) {
    guest.truth.state = guest.before_job;
    if (guest.stopping) {
        guest.stopping = false;
        go_down_in(guest, kGoesOn);
    }
}

void World::start_by_hand(const GuestId& id) {
    auto& target = guest(id);
    if (is_active(target.truth.state) || target.job != Job::none)
        return;
    come_up(target, target.truth.managed_save ? Lifecycle::restored : Lifecycle::booted);
}

void World::stop_by_hand(const GuestId& id) {
    auto& target = guest(id);
    if (is_active(target.truth.state) && target.job == Job::none)
        off(target, Lifecycle::shut_down);
}

void World::undefine(const GuestId& id) {
    auto& target = guest(id);
    target.model.persistent = false;
    if (!is_active(target.truth.state))
        target.truth.state = GuestState::absent;
    emit(target, Lifecycle::undefined);
}

void World::power_cycle() {
    client_died();
    for (auto& uri : uris_) {
        ++uri->daemon;
        uri->busy = uri->busy_urgent = 0;
        uri->backlog.clear();
        uri->urgent_backlog.clear();
        uri->frozen_from = uri->frozen_to = kNever;
        uri->daemon_up = true;
        if (uri->way_back < clock_.now() || uri->way_back == kNever)
            uri->way_back = clock_.now();
    }
    for (auto& [id, guest] : guests_) {
        uri(id).disk.abort(id);
        guest.waiting.clear();
        guest.job_call.reset();
        guest.job = Job::none;
        if (is_active(guest.truth.state))
            off(guest, Lifecycle::destroyed);
    }
}

}  // namespace guestd::sim
