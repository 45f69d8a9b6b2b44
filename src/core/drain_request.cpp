// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a rung asks of libvirt, and what the answers mean. An answer is judged by the state that was
// read after it, never by libvirt's words.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// libvirt reports EBUSY when QEMU has not ended 15 s after SIGTERM; one second more for the reply.
constexpr Duration kGracefulDestroyTime = 16s;
/// Between forced destroys of a QEMU that does not even die of SIGKILL (stuck in the kernel).
constexpr Duration kDestroyRetry = 5s;
/// After a call whose result is unknown though libvirt answers: no hot loop.
constexpr Duration kTryAgain = 1s;

}  // namespace

void DrainRun::request(Context& ctx, DrainTask& task) {
    const auto kind = task.current().kind;
    if (kind == RungKind::save)
        return request_save(ctx, task);
    if (!ctx.fleet.uri(task.id.uri).listed)
        return;  // asked as soon as it answers
    const auto submit = [&](CallKind call) {
        task.call = ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = call}, ctx.now);
        ++task.attempts;
    };
    switch (kind) {
        case RungKind::wake:
            return submit(CallKind::wake);
        case RungKind::resume:
            return submit(CallKind::resume);
        case RungKind::shutdown:
            return request_shutdown(ctx, task);
        case RungKind::destroy:
            return request_destroy(ctx, task);
        case RungKind::migrate:
            return request_migration(ctx, task);
        case RungKind::save:
        case RungKind::wait:
        case RungKind::leave:
            return;
    }
}

void DrainRun::request_migration(Context& ctx, DrainTask& task) {
    if (task.call != 0)
        return;
    if (ctx.calls.long_calls(task.id.uri) >= ctx.fleet.uri(task.id.uri).long_calls) {
        task.held_for = "a free call";
        task.next_request = ctx.now + kTryAgain;
        return;
    }
    task.held_for.clear();
    ++task.attempts;
    task.rung_end = task.phase_deadline =
        std::min(ctx.now + task.current().time, task.ends[task.rung]);
    task.call = ctx.calls.submit(
        ctx.out, Call{.guest = task.id, .kind = CallKind::migrate, .target = task.current().target},
        ctx.now);
}

void DrainRun::request_shutdown(Context& ctx, DrainTask& task) {
    const auto& rung = task.current();
    const auto* guest = ctx.fleet.find(task.id);
    const bool first = task.attempts == 0;
    const bool place = ctx.calls.long_calls(task.id.uri) < ctx.fleet.uri(task.id.uri).long_calls;
    const bool agent = rung.mode == ShutdownMode::agent ||
                       (rung.mode == ShutdownMode::automatic && first && guest != nullptr &&
                        guest->info.agent_connected && place);
    const auto resend = task.policy.resend;
    task.next_request = resend > Duration::zero() ? ctx.now + resend : kNever;
    if (guest != nullptr && guest->info.state == GuestState::shutting_down)
        return;  // it is on its way: nothing to ask for
    if (agent) {
        if (task.agent_call == 0 && !place) {
            task.held_for = "a free call";
            task.next_request = ctx.now + kTryAgain;
            return;
        }
        task.held_for.clear();
        // An agent that accepts and never acts must not cost the whole rung: ACPI comes next.
        if (task.next_request == kNever && rung.mode == ShutdownMode::automatic)
            task.next_request = ctx.now + (task.rung_end - ctx.now) / 2;
        if (task.agent_call == 0)
            task.agent_call = ctx.calls.submit(
                ctx.out, Call{.guest = task.id, .kind = CallKind::shutdown_agent}, ctx.now);
    } else if (task.call == 0) {
        task.call = ctx.calls.submit(
            ctx.out, Call{.guest = task.id, .kind = CallKind::shutdown_acpi}, ctx.now);
    }
    ++task.attempts;
    if (task.answer.empty() || task.answer.starts_with("silent"))
        task.answer = "silent, asked " +
                      (task.attempts == 1 ? "once" : std::to_string(task.attempts) + " times");
}

/// Graceful first, then forced, again and again; but never a second forced one before the last has
/// returned: each costs a thread, and libvirt is at it already.
void DrainRun::request_destroy(Context& ctx, DrainTask& task) {
    const bool forced = task.attempts > 0;
    if (task.call != 0)
        ctx.calls.abandon(ctx.out, task.call);
    task.call = ctx.calls.submit(
        ctx.out,
        Call{.guest = task.id,
             .kind = forced ? CallKind::destroy_forced : CallKind::destroy_graceful,
             .discard_image = task.save_begun},
        ctx.now);
    // With little time left the graceful one gets half of it.
    task.next_request =
        forced ? kNever : ctx.now + std::min(kGracefulDestroyTime, (task.rung_end - ctx.now) / 2);
    ++task.attempts;
}

void DrainRun::look(Context& ctx, DrainTask& task) {
    if (task.look == 0 && ctx.fleet.uri(task.id.uri).listed)
        task.look =
            ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::probe}, ctx.now);
}

void DrainRun::abandon_calls(Context& ctx, DrainTask& task) {
    for (auto* call : {&task.call, &task.agent_call})
        if (*call != 0)
            ctx.calls.abandon(ctx.out, std::exchange(*call, 0));
}

void DrainRun::on_returned(Context& ctx, DrainTask& task, const CallReturned& event) {
    const auto kind = ctx.returned.value_or(CallKind::probe);
    const bool own = event.id == task.call;
    const bool agent = event.id == task.agent_call;
    const bool looked = event.id == task.look;
    if (own)
        task.call = 0;
    if (agent)
        task.agent_call = 0;
    if (looked)
        task.look = 0;
    if (event.id == task.abort)
        task.abort = 0;
    if (own && task.on(RungKind::migrate) && event.status == CallStatus::done)
        task.acknowledged = true;
    if (event.bytes.count > 0)
        task.done = event.bytes;
    if (event.image)
        task.image_identity = event.image->identity;
    // Whoever asked: what was read is true.
    if (event.observed && !is_active(event.observed->state))
        return on_gone(ctx, task);
    if (event.observed && is_up(*event.observed))
        task.half_started = false;
    if (looked)
        return on_looked(ctx, task, event);
    if (task.clearing && own)
        return on_clearing_returned(ctx, task, event, kind);
    if (!task.begun || !(own || agent))
        return;
    const bool save = task.on(RungKind::save);
    if (save && kind == CallKind::suspend) {
        if (event.status == CallStatus::done)
            ctx.fleet.paused_by_us(task.id);
        request_save(ctx, task);
        return rearm(task);
    }
    if (save && event.status == CallStatus::done && !event.observed) {
        task.gone = true;
        return finish(ctx, task, Outcome::saved, task.cause);
    }
    switch (event.status) {
        case CallStatus::done:
            return on_done(ctx, task);
        case CallStatus::refused:
        case CallStatus::busy:
        case CallStatus::unfit:
        case CallStatus::aborted:
            if (task.on(RungKind::shutdown))
                return on_shutdown_refused(ctx, task, event, agent);
            return on_refused(ctx, task, event);
        case CallStatus::unknown:
            // A lost connection is answered by the next listing. When only a worker was lost, a
            // save goes on without us; anything else is asked for again.
            task.adopted = save;
            task.next_request = ctx.now + kTryAgain;
            return rearm(task);
    }
}

/// The guest is up, or could not be seen.
void DrainRun::on_looked(Context& ctx, DrainTask& task, const CallReturned& event) {
    if (event.observed) {
        if (std::exchange(task.stop_by, kNever) != kNever)
            make_ready(task);
        if (task.on(RungKind::save) && task.adopted && !event.observed->saving) {
            // The save that we did not call has ended, and the guest is still there.
            task.adopted = false;
            count_as_saving(ctx, task, false);
            if (task.aborting)
                return next_rung(ctx, task, "aborted, it would have missed its time");
            request_save(ctx, task);
        }
    }
    rearm(task);
}

void DrainRun::on_done(Context& ctx, DrainTask& task) {
    task.acknowledged = true;
    switch (task.current().kind) {
        case RungKind::wake:
        case RungKind::resume:
            return next_rung(ctx, task, "done");
        case RungKind::destroy:
            task.next_request = ctx.now + kTryAgain;  // it says so, yet the guest is there
            break;
        case RungKind::save:
            return next_rung(ctx, task, "libvirt says done, yet it runs");
        case RungKind::shutdown:
            if (ctx.returned == CallKind::shutdown_agent)
                task.answer = "its agent has accepted";
            if (std::exchange(task.overdue, false))
                task.rung_end = task.phase_deadline =
                    std::min(ctx.now + task.current().time, task.ends[task.rung]);
            break;
        case RungKind::wait:
        case RungKind::leave:
        case RungKind::migrate:
            break;
    }
    rearm(task);
}

void DrainRun::on_refused(Context& ctx, DrainTask& task, const CallReturned& event) {
    const bool down_already = event.observed && event.observed->state == GuestState::shutting_down;
    const bool saving = event.observed && event.observed->saving;
    switch (task.current().kind) {
        case RungKind::save:
            count_as_saving(ctx, task, false);
            task.acknowledged = down_already;
            if (saving)
                request_save(ctx, task);  // somebody else's
            if (saving || down_already)
                return rearm(task);
            return next_rung(
                ctx, task,
                task.aborting ? "aborted, it would have missed its time" : event.message);
        case RungKind::destroy:
            if (task.attempts == 1)
                request_destroy(ctx, task);
            else
                task.next_request = ctx.now + kDestroyRetry;
            return rearm(task);
        case RungKind::wake:
        case RungKind::resume:
        case RungKind::shutdown:
        case RungKind::wait:
        case RungKind::leave:
        case RungKind::migrate:
            return next_rung(ctx, task, event.message);
    }
}

void DrainRun::on_shutdown_refused(Context& ctx, DrainTask& task, const CallReturned& event,
                                   bool by_agent) {
    if (event.observed && event.observed->state == GuestState::shutting_down)
        task.acknowledged = true;  // it goes down already: it has its time
    // The agent may be gone, or hang: the button is still there.
    if (by_agent && task.current().mode == ShutdownMode::automatic && task.call == 0 &&
        task.attempts == 1 && !task.acknowledged) {
        request_shutdown(ctx, task);
        return rearm(task);
    }
    if (task.call != 0 || task.agent_call != 0 || task.acknowledged)
        return rearm(task);  // another request is out; time decides
    next_rung(ctx, task, event.message);
}

}  // namespace guestd::core
