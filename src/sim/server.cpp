// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libvirt: its workers, its job lock, and what each call does.
#include <algorithm>
#include <utility>

#include "sim/world.hpp"

namespace guestd::sim {
namespace {

/// VIR_JOB_WAIT_TIME.
constexpr Duration kJobLockTime = 30s;
/// An agent that does not answer is given up (VIR_DOMAIN_QEMU_AGENT_COMMAND_SHUTDOWN).
constexpr Duration kAgentTime = 60s;
/// What our own calls to it allow it.
constexpr Duration kAgentAnswerTime = 10s;
/// virProcessKillPainfullyDelay: SIGTERM only; SIGTERM and SIGKILL.
constexpr Duration kGracefulTime = 15s;
constexpr Duration kForcedTime = 40s;
/// QEMU ends within that of a signal, when it does.
constexpr Duration kDeathTime = 100ms;
/// Between two readings of job statistics.
constexpr Duration kProgressInterval = 1s;

/// The `@priority: high` calls of libvirt's protocol.
bool is_urgent(CallKind kind) {
    return kind == CallKind::probe || kind == CallKind::destroy_graceful ||
           kind == CallKind::destroy_forced;
}

/// Changes nothing.
bool is_look(CallKind kind) {
    return kind == CallKind::probe || kind == CallKind::inspect ||
           kind == CallKind::inspect_image || kind == CallKind::ping_agent ||
           kind == CallKind::find_address;
}

bool needs_job_lock(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::shutdown_auto:
        case CallKind::shutdown_acpi:
        case CallKind::save:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
            return true;
        case CallKind::shutdown_agent:  // has a lock of its own
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::probe:
        case CallKind::inspect:
        case CallKind::set_time:
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::inspect_image:
        case CallKind::migrate:
        case CallKind::remember:
        case CallKind::forget:
            return false;
    }
    return false;
}

}  // namespace

void World::submit(const Call& call) {
    auto& target = uri(call.guest);
    if (!target.connected) {
        const CallReturned lost{.id = call.id,
                                .guest = call.guest,
                                .status = CallStatus::unknown,
                                .message = "not connected",
                                .observed = {}};
        clock_.schedule_in(target.model.latency, [this, lost, life = client_life_] {
            if (client_ && client_life_ == life)
                tell(lost);
        });
        return;
    }
    target.pending.emplace(call.id, call.guest);
    auto handle =
        std::make_shared<ServerCall>(ServerCall{call, target.connection, !is_urgent(call.kind)});
    as_daemon(call.guest.uri, target.model.latency, [this, handle] { arrive(handle); });
}

/// The server knows nothing of it: what has been asked for is done, and its result still comes.
void World::abandon(const AbandonCall& call) {
    uri(call.guest).pending.erase(call.id);
}

void World::arrive(const Handle& call) {
    auto& target = uri(call->call.guest);
    call->arrived = ++arrivals_;
    (call->ordinary ? target.backlog : target.urgent_backlog).push_back(call);
    work(call->call.guest.uri);
}

/// The first to have come of those for whom there is a worker; null = none.
World::Handle World::next_to_serve(Uri& uri) {
    const bool worker = uri.busy < uri.model.workers;
    const bool ordinary = worker && !uri.backlog.empty();
    const bool urgent =
        !uri.urgent_backlog.empty() && (worker || uri.busy_urgent < uri.model.urgent_workers);
    if (!ordinary && !urgent)
        return nullptr;
    auto& queue =
        !urgent || (ordinary && uri.backlog.front()->arrived < uri.urgent_backlog.front()->arrived)
            ? uri.backlog
            : uri.urgent_backlog;
    auto call = std::move(queue.front());
    queue.pop_front();
    return call;
}

void World::work(UriId id) {
    auto& target = uri(id);
    while (const auto call = next_to_serve(target)) {
        call->ordinary = target.busy < target.model.workers;
        ++(call->ordinary ? target.busy : target.busy_urgent);
        auto& asked = guest(call->call.guest);
        if (!is_look(call->call.kind))
            asked.truth.asked.push_back({clock_.now(), call->call.kind});
        carry_out(call);
    }
}

CallReturned World::answer(const Handle& call, CallStatus status, std::string message) const {
    const auto& about = guests_.at(call->call.guest);
    const auto kind = call->call.kind;
    GuestInfo seen{.uuid = about.id.uuid, .state = GuestState::absent, .persistent = false};
    if (about.truth.state != GuestState::absent)
        seen = info_of(about);
    CallReturned returned{.id = call->call.id,
                          .guest = about.id,
                          .status = status,
                          .message = std::move(message),
                          .observed = seen};
    if (kind == CallKind::inspect && is_active(about.truth.state))
        returned.job = about.job == Job::save ? GuestJob::save : about.model.job;
    const bool names_disks = (kind == CallKind::start && status == CallStatus::refused) ||
                             kind == CallKind::inspect_image;
    if (names_disks && clock_.now() < about.model.disk_from)
        returned.missing.push_back("/disks/" + about.model.name);
    if (kind == CallKind::find_address && about.listening)
        returned.address = "192.0.2.1";
    const bool saved = kind == CallKind::save && status == CallStatus::done;
    if ((saved || kind == CallKind::inspect_image) && about.truth.managed_save)
        returned.image = image_of(about);
    if (saved && returned.image)
        returned.image->differences.clear();
    return returned;
}

void World::reply(const Handle& call, CallStatus status, std::string message, Bytes bytes) {
    const auto& id = call->call.guest;
    auto& target = uri(id);
    --(call->ordinary ? target.busy : target.busy_urgent);
    auto returned = answer(call, status, std::move(message));
    returned.bytes = bytes;
    clock_.schedule_in(target.model.latency,
                       [this, call, returned = std::move(returned)]() mutable {
                           auto& from = uri(returned.guest);
                           if (!client_ || from.connection != call->connection)
                               return;
                           from.pending.erase(returned.id);
                           tell(std::move(returned));
                       });
    as_daemon(id.uri, Duration::zero(), [this, id] { work(id.uri); });
}

void World::carry_out(const Handle& call) {
    auto& target = guest(call->call.guest);
    if (target.truth.state == GuestState::absent)
        return reply(call, CallStatus::refused, "no domain");
    if (needs_job_lock(call->call.kind) && wait_for_job(target, call))
        return;
    switch (call->call.kind) {
        case CallKind::start:
            return do_start(target, call);
        case CallKind::shutdown_agent:
            return do_agent(target, call);
        case CallKind::shutdown_auto:
            return target.agent_connected ? do_agent(target, call) : do_acpi(target, call);
        case CallKind::shutdown_acpi:
            return do_acpi(target, call);
        case CallKind::save:
            return do_save(target, call);
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
            return do_destroy(target, call);
        case CallKind::resume:
            return do_change(target, call, GuestState::paused, Lifecycle::resumed);
        case CallKind::suspend:
            return do_change(target, call, GuestState::running, Lifecycle::suspended);
        case CallKind::wake:
            return do_change(target, call, GuestState::pmsuspended, Lifecycle::started);
        case CallKind::abort_job:
            return do_abort(target, call);
        case CallKind::migrate:
            return do_migrate(target, call);
        case CallKind::abort_block:
            target.model.job = GuestJob::none;
            return reply(call, CallStatus::done);
        case CallKind::remember:
        case CallKind::forget:
            target.truth.remembered = call->call.kind == CallKind::remember;
            return reply(call, CallStatus::done);
        case CallKind::probe:
        case CallKind::set_time:
        case CallKind::ping_agent:
            return do_agent_call(target, call);
        case CallKind::inspect:
        case CallKind::find_address:
        case CallKind::inspect_image:
            return reply(call, CallStatus::done);
    }
}

bool World::wait_for_job(Guest& guest, const Handle& call) {
    if (guest.job == Job::none)
        return false;
    guest.waiting.push_back(call);
    as_daemon(guest.id.uri, kJobLockTime, [this, id = guest.id, call] {
        if (std::erase(this->guest(id).waiting, call) > 0)
            reply(call, CallStatus::refused, "cannot acquire state change lock");
    });
    return true;
}

World::Handle World::end_job(Guest& guest) {
    guest.job = Job::none;
    return std::exchange(guest.job_call, nullptr);
}

void World::wake_waiting(Guest& guest) {
    if (guest.waiting.empty())
        return;
    const auto next = guest.waiting.front();
    guest.waiting.pop_front();
    carry_out(next);
    if (guest.job == Job::none && !guest.waiting.empty())
        wake_waiting(guest);
}

void World::do_start(Guest& guest, const Handle& call) {
    if (is_active(guest.truth.state))
        return reply(call, CallStatus::refused, "domain is already running");
    if (clock_.now() < guest.model.locked_until)
        return reply(call, CallStatus::busy, "resource busy");
    if (guest.model.unfit)
        return reply(call, CallStatus::unfit, "unsupported configuration");
    if (clock_.now() < guest.model.disk_from)
        return reply(call, CallStatus::refused, "cannot access storage file");
    if (guest.model.start_failures > 0) {
        --guest.model.start_failures;
        return reply(call, CallStatus::refused, "cannot access storage file");
    }
    const bool vanishes = guest.model.image_vanishes || guest.model.image_partial;
    if (call->call.force_boot || (guest.truth.managed_save && vanishes))
        guest.truth.managed_save = false;
    const bool restore = guest.truth.managed_save;
    if (restore && guest.model.image_breaks)
        return reply(call, CallStatus::refused, "unable to restore from managed state");
    guest.job = Job::start;
    guest.job_call = call;
    const auto up = [this, id = guest.id, call, restore] {
        auto& started = this->guest(id);
        if (started.job_call != call)
            return;
        end_job(started);
        come_up(started, restore ? Lifecycle::restored : Lifecycle::booted);
        reply(call, CallStatus::done);
        wake_waiting(started);
    };
    if (!restore)
        return as_daemon(guest.id.uri, guest.model.start_time, up);
    uri(guest.id).disk.begin(guest.id, guest.model.memory,
                             [this, id = guest.id, up] { as_daemon(id.uri, {}, up); });
}

void World::do_acpi(Guest& guest, const Handle& call) {
    if (guest.truth.state != GuestState::running)
        return reply(call, CallStatus::refused, "domain is not running");
    if (guest.listening && guest.model.obeys)
        go_down_in(guest, *guest.model.obeys);
    reply(call, CallStatus::done);
}

void World::do_agent(Guest& guest, const Handle& call) {
    if (guest.truth.state != GuestState::running || !guest.agent_connected)
        return reply(call, CallStatus::refused, "guest agent is not connected");
    switch (guest.model.agent) {
        case Agent::answers:
            go_down_in(guest, guest.model.obeys.value_or(2s));
            return reply(call, CallStatus::done);
        case Agent::ignores:
            return reply(call, CallStatus::done);
        case Agent::hangs:
            return as_daemon(guest.id.uri, kAgentTime, [this, call] {
                reply(call, CallStatus::refused, "guest agent is not responding");
            });
        case Agent::none:
        case Agent::refuses:
            return reply(call, CallStatus::refused, "guest agent command failed");
    }
}

/// What a living agent does at once, and a dead one never.
void World::do_agent_call(Guest& guest, const Handle& call) {
    if (!guest.agent_connected)
        return reply(call, CallStatus::refused, "guest agent is not connected");
    if (guest.model.agent == Agent::hangs)
        return as_daemon(guest.id.uri, kAgentAnswerTime, [this, call] {
            reply(call, CallStatus::refused, "guest agent is not responding");
        });
    if (call->call.kind == CallKind::set_time)
        ++guest.truth.clock_sets;
    reply(call, CallStatus::done);
}

void World::do_save(Guest& guest, const Handle& call) {
    const bool can =
        guest.truth.state == GuestState::running || guest.truth.state == GuestState::paused;
    if (!can || guest.half_started || !guest.model.persistent || guest.model.refuses_save ||
        guest.model.job != GuestJob::none)
        return reply(call, CallStatus::refused, "cannot save this domain");
    guest.before_job = guest.truth.state;
    guest.truth.state = GuestState::paused;
    guest.job = Job::save;
    guest.job_call = call;
    const auto bytes =
        guest.model.save_breaks ? Bytes{guest.model.memory.count / 2} : guest.model.memory;
    const auto done = [this, id = guest.id, call, bytes] {
        auto& saved = this->guest(id);
        if (saved.job_call != call)
            return;
        end_job(saved);
        if (saved.model.save_breaks) {
            undo_save(saved);
            reply(call, CallStatus::refused, "no space left on device");
        } else {
            const auto as = call->call.save_as.value_or(saved.before_job);
            saved.image_paused = as == GuestState::paused;
            saved.truth.managed_save = true;
            saved.image_version = saved.model.disk_version;
            off(saved, Lifecycle::saved);
            reply(call, CallStatus::done, {}, bytes);
        }
        wake_waiting(saved);
    };
    const auto written = [this, id = guest.id, call, done] {
        const auto& saved = this->guest(id);
        const auto& model = uri(id).model;
        if (saved.job_call == call && model.tells_written)
            deliver(id.uri, model.latency, SaveWritten{id});
        as_daemon(id.uri, model.save_end, done);
    };
    uri(guest.id).disk.begin(guest.id, bytes,
                             [this, id = guest.id, written] { as_daemon(id.uri, {}, written); });
    clock_.schedule_in(kProgressInterval, [this, id = guest.id, call] { tell_progress(id, call); });
}

/// Of a save under way, as its job statistics have it.
void World::tell_progress(const GuestId& id, const Handle& save) {
    auto& target = guest(id);
    if (target.job_call != save || target.job != Job::save)
        return;
    const auto done = uri(id).disk.progress(id);
    if (!frozen(uri(id)))
        deliver(id.uri, uri(id).model.latency,
                SaveProgressed{.guest = id,
                               .done = done,
                               .total = target.model.memory,
                               .written = done,
                               .at = clock_.now()});
    clock_.schedule_in(kProgressInterval, [this, id, save] { tell_progress(id, save); });
}

void World::do_abort(Guest& guest, const Handle& call) {
    if (guest.job == Job::none && guest.model.job != GuestJob::none) {
        guest.model.job = GuestJob::none;
        return reply(call, CallStatus::done);
    }
    if (guest.job == Job::migration) {
        const auto migration = end_job(guest);
        reply(call, CallStatus::done);
        reply(migration, CallStatus::aborted, "operation aborted");
        return wake_waiting(guest);
    }
    if (guest.job != Job::save)
        return reply(call, CallStatus::refused, "no job is active on the domain");
    uri(guest.id).disk.abort(guest.id);
    const auto save = end_job(guest);
    undo_save(guest);
    reply(call, CallStatus::done);
    reply(save, CallStatus::aborted, "operation aborted");
    wake_waiting(guest);
}

void World::do_migrate(Guest& guest, const Handle& call) {
    if (guest.truth.state != GuestState::running || guest.model.refuses_migration)
        return reply(call, CallStatus::refused, "cannot migrate this domain");
    guest.job = Job::migration;
    guest.job_call = call;
    as_daemon(guest.id.uri, guest.model.migration_time, [this, id = guest.id, call] {
        auto& gone = this->guest(id);
        if (gone.job_call != call)
            return;
        end_job(gone);
        off(gone, Lifecycle::migrated);
        gone.truth.state = GuestState::absent;  // its definition has gone along
        reply(call, CallStatus::done);
        wake_waiting(gone);
    });
}

void World::do_destroy(Guest& guest, const Handle& call) {
    if (!is_active(guest.truth.state))
        return reply(call, CallStatus::refused, "domain is not running");
    if (guest.model.refuses_destroy)
        return reply(call, CallStatus::refused, "access denied");
    const bool forced = call->call.kind == CallKind::destroy_forced;
    const bool dies = !guest.model.unkillable && (forced || !guest.model.deaf_to_sigterm);
    const auto time = dies ? kDeathTime : forced ? kForcedTime : kGracefulTime;
    as_daemon(guest.id.uri, time, [this, id = guest.id, call, dies] {
        auto& target = this->guest(id);
        if (!is_active(target.truth.state))
            return reply(call, CallStatus::refused, "domain is not running");
        if (!dies)
            return reply(call, CallStatus::refused, "busy");
        uri(id).disk.abort(id);
        const auto job = end_job(target);
        off(target, Lifecycle::destroyed);
        reply(call, CallStatus::done);
        if (job)
            reply(job, CallStatus::refused, "domain is no longer running");
        wake_waiting(target);
    });
}

void World::do_change(Guest& guest, const Handle& call, GuestState from, Lifecycle what) {
    if (guest.truth.state != from)
        return reply(call, CallStatus::refused, "domain is in another state");
    guest.truth.state = what == Lifecycle::suspended ? GuestState::paused : GuestState::running;
    if (what != Lifecycle::suspended)
        guest.listening = true;
    emit(guest, what);
    reply(call, CallStatus::done);
}

}  // namespace guestd::sim
