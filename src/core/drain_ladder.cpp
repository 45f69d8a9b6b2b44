// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One guest on its stop ladder: which request is sent when, and what a result means. A result is
// judged by the state that was read after it, never by libvirt's words.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// libvirt reports EBUSY when QEMU has not ended 15 s after SIGTERM; one second more for the reply.
constexpr Duration kGracefulDestroyTime = 16s;
/// Between forced destroys of a QEMU that does not even die of SIGKILL (stuck in the kernel).
constexpr Duration kDestroyRetry = 5s;
/// An aborted save returns as soon as QEMU has stopped the migration, normally within a second.
constexpr Duration kAbortTime = 10s;
/// Between looks at a save that goes on without a call of ours; its end also comes as an event.
constexpr Duration kAdoptedProbe = 2s;
/// After a call whose result is unknown though libvirt answers: no hot loop.
constexpr Duration kUnknownRetry = 1s;

std::string seconds(Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + "s";
}

void add_cause(Task& task, const std::string& text) {
    if (!task.cause.empty())
        task.cause += "; ";
    task.cause += text;
}

}  // namespace

void DrainRun::begin_ladder(Context& ctx, DrainTask& task) {
    leave_queues(task);
    task.begun = true;
    // The state may have changed while it waited.
    if (const auto* guest = ctx.fleet.find(task.id))
        task.ladder = effective_ladder(task.policy, guest->info);
    if (task.ladder.front().kind != RungKind::save)
        ++uri_of(task).shutting;
    task.ends = latest_ends(task.ladder, ctx.now, task.deadline);
    task.rung = 0;
    task.started = ctx.now;
    enter_rung(ctx, task);
}

void DrainRun::enter_rung(Context& ctx, DrainTask& task) {
    if (task.rung == task.ladder.size()) {
        task.rung = task.ladder.size() - 1;
        return finish(ctx, task, Outcome::failed,
                      task.cause + "; it still runs, and its ladder ends");
    }
    const auto& rung = task.current();
    if (rung.kind == RungKind::leave)
        return finish(ctx, task, Outcome::left_running,
                      task.cause.empty() ? "as its policy says" : task.cause);
    if (rung.kind == RungKind::migrate)
        return next_rung(ctx, task, "this version cannot evacuate");

    enter_phase(ctx, record_.id, task, std::string{to_string(rung.kind)});
    task.attempts = 0;
    task.acknowledged = task.aborting = task.adopted = false;
    task.next_request = kNever;
    // A last destroy is repeated until the deadline: there is nothing behind it.
    const bool to_the_end = rung.kind == RungKind::destroy && task.rung + 1 == task.ladder.size();
    task.rung_end =
        to_the_end ? task.ends[task.rung] : std::min(ctx.now + rung.time, task.ends[task.rung]);
    task.phase_deadline = task.rung_end;
    ctx.out.emplace_back(Notice{.kind = NoticeKind::step_started,
                                .run = record_.id,
                                .guest = task.id,
                                .name = task.name,
                                .what = task.phase,
                                .text = task.cause});
    request(ctx, task);
    if (!task.over())
        rearm(task);
}

void DrainRun::next_rung(Context& ctx, DrainTask& task, std::string why) {
    auto& uri = uri_of(task);
    uri.save_queue.erase({~task.memory.count, task.id});
    if (task.call != 0) {
        if (task.current().kind == RungKind::save)
            --uri.saving;
        ctx.calls.abandon(ctx.out, std::exchange(task.call, 0));
    }
    add_cause(task, std::string{to_string(task.current().kind)} + ": " + std::move(why));
    ++task.rung;
    enter_rung(ctx, task);
}

void DrainRun::request(Context& ctx, DrainTask& task) {
    const auto submit = [&](CallKind kind) {
        task.call = ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = kind}, ctx.now);
        ++task.attempts;
    };
    switch (task.current().kind) {
        case RungKind::wake:
            return submit(CallKind::wake);
        case RungKind::resume:
            return submit(CallKind::resume);
        case RungKind::shutdown:
            return request_shutdown(ctx, task);
        case RungKind::save:
            task.held_for = "a free place to save";
            uri_of(task).save_queue.emplace(~task.memory.count, task.id);
            return;
        case RungKind::destroy:
            return request_destroy(ctx, task);
        case RungKind::wait:
        case RungKind::leave:
        case RungKind::migrate:
            return;
    }
}

void DrainRun::request_shutdown(Context& ctx, DrainTask& task) {
    const auto& rung = task.current();
    const auto* guest = ctx.fleet.find(task.id);
    const bool first = task.attempts == 0;
    const bool agent = rung.mode == ShutdownMode::agent ||
                       (rung.mode == ShutdownMode::automatic && first && guest != nullptr &&
                        guest->info.agent_connected &&
                        ctx.calls.long_calls(task.id.uri) < ctx.fleet.uri(task.id.uri).long_calls);
    const auto resend = task.policy.resend;
    task.next_request = resend > Duration::zero() ? ctx.now + resend : kNever;
    if (guest != nullptr && guest->info.state == GuestState::shutting_down)
        return;  // it is on its way: nothing to ask for
    if (agent) {
        // An agent that accepts and never acts must not cost the whole rung: ACPI comes next.
        if (task.next_request == kNever)
            task.next_request = ctx.now + (task.rung_end - ctx.now) / 2;
        if (task.agent_call == 0)
            task.agent_call = ctx.calls.submit(
                ctx.out, Call{.guest = task.id, .kind = CallKind::shutdown_agent}, ctx.now);
    } else if (task.call == 0) {
        task.call = ctx.calls.submit(
            ctx.out, Call{.guest = task.id, .kind = CallKind::shutdown_acpi}, ctx.now);
    }
    ++task.attempts;
}

void DrainRun::request_destroy(Context& ctx, DrainTask& task) {
    const bool forced = task.attempts > 0;
    if (task.call != 0)
        ctx.calls.abandon(ctx.out, task.call);
    task.call = ctx.calls.submit(
        ctx.out,
        Call{.guest = task.id,
             .kind = forced ? CallKind::destroy_forced : CallKind::destroy_graceful},
        ctx.now);
    // With little time left the graceful one gets half of it.
    task.next_request =
        ctx.now +
        (forced ? kDestroyRetry : std::min(kGracefulDestroyTime, (task.rung_end - ctx.now) / 2));
    ++task.attempts;
}

void DrainRun::submit_save(Context& ctx, DrainTask& task) {
    auto& uri = uri_of(task);
    uri.save_queue.erase({~task.memory.count, task.id});
    ++uri.saving;
    ++task.attempts;
    if (!task.held_for.empty() && task.since < ctx.now) {
        const auto end = task.phase_deadline;
        task.phase = "waiting";
        enter_phase(ctx, record_.id, task, "save", "for a free place to save");
        task.phase_deadline = end;
    }
    task.held_for.clear();
    task.call = ctx.calls.submit(
        ctx.out,
        Call{.guest = task.id, .kind = CallKind::save, .bypass_cache = task.policy.bypass_cache},
        ctx.now);
}

void DrainRun::on_returned(Context& ctx, DrainTask& task, const CallReturned& event) {
    if (event.id == task.agent_call) {
        task.agent_call = 0;
    } else if (event.id == task.call) {
        task.call = 0;
        if (task.begun && task.current().kind == RungKind::save)
            --uri_of(task).saving;
    } else {
        return;
    }
    if (event.bytes.count > 0)
        task.done = event.bytes;
    const bool saved =
        event.status == CallStatus::done && task.current().kind == RungKind::save && !task.adopted;
    if (saved && !event.observed)
        return finish(ctx, task, Outcome::saved, task.cause);
    if (event.observed && !is_active(event.observed->state))
        return on_gone(ctx, task);
    switch (event.status) {
        case CallStatus::done:
            task.acknowledged = true;
            if (task.current().kind == RungKind::wake || task.current().kind == RungKind::resume)
                return next_rung(ctx, task, "done");
            if (task.current().kind == RungKind::destroy)
                task.next_request = ctx.now + kUnknownRetry;  // it says so, yet the guest is there
            break;
        case CallStatus::refused:
        case CallStatus::busy:
        case CallStatus::aborted:
            return on_refused(ctx, task, event);
        case CallStatus::unknown:
            // A lost connection is answered by the next listing; a lost worker by asking again.
            task.next_request = ctx.now + kUnknownRetry;
            break;
    }
    rearm(task);
}

void DrainRun::on_refused(Context& ctx, DrainTask& task, const CallReturned& event) {
    switch (task.current().kind) {
        case RungKind::shutdown:
            // The agent may be gone, or hang: the button is still there.
            if (task.current().mode == ShutdownMode::automatic && task.call == 0 &&
                task.attempts == 1 && !task.acknowledged) {
                request_shutdown(ctx, task);
                return rearm(task);
            }
            if (task.call != 0 || task.agent_call != 0 || task.acknowledged)
                return rearm(task);  // another request is out; time decides
            return next_rung(ctx, task, event.message);
        case RungKind::save:
            return next_rung(
                ctx, task,
                task.aborting ? "aborted, it would have missed its time" : event.message);
        case RungKind::destroy:
            request_destroy(ctx, task);
            return rearm(task);
        case RungKind::wake:
        case RungKind::resume:
        case RungKind::wait:
        case RungKind::leave:
        case RungKind::migrate:
            return next_rung(ctx, task, event.message);
    }
}

void DrainRun::on_time(Context& ctx, DrainTask& task) {
    if (ctx.now >= task.deadline) {
        for (const auto call : {std::exchange(task.agent_call, 0), task.call})
            if (call != 0)
                ctx.calls.abandon(ctx.out, call);
        const auto& uri = ctx.fleet.uri(task.id.uri);
        add_cause(task, uri.listed ? "the deadline has passed"
                                   : "libvirt did not answer before the deadline: " + uri.reason);
        return finish(ctx, task, Outcome::failed, task.cause);
    }
    if (!task.begun) {
        if (ctx.fleet.uri(task.id.uri).listed && ctx.now >= task.latest_start)
            return begin_ladder(ctx, task);
        task.latest_start = std::max(task.latest_start, ctx.now + kUnknownRetry);
        return rearm(task);
    }
    const auto kind = task.current().kind;
    if (kind == RungKind::save)
        return on_save_time(ctx, task);
    if (ctx.now >= task.rung_end)
        return next_rung(ctx, task, "no effect within " + seconds(ctx.now - task.since));
    if (ctx.now >= task.next_request) {
        task.next_request = kNever;
        if (ctx.fleet.uri(task.id.uri).listed)
            request(ctx, task);
    }
    if (!task.over())
        rearm(task);
}

void DrainRun::on_save_time(Context& ctx, DrainTask& task) {
    if (ctx.now >= task.rung_end) {
        const bool under_way = task.call != 0 || task.adopted;
        if (!under_way)
            return next_rung(ctx, task, "no free place to save in time");
        if (task.aborting)
            return next_rung(ctx, task, "did not end when aborted");
        task.aborting = true;
        task.rung_end = std::min(ctx.now + kAbortTime, task.deadline);
        ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::abort_job}, ctx.now);
    } else if (ctx.now >= task.next_request) {
        task.next_request = kNever;
        if (task.adopted && ctx.fleet.uri(task.id.uri).listed) {
            if (task.call == 0) {
                ++uri_of(task).saving;
                task.call = ctx.calls.submit(
                    ctx.out, Call{.guest = task.id, .kind = CallKind::probe}, ctx.now);
            }
            task.next_request = ctx.now + kAdoptedProbe;
        } else if (task.call == 0 && !task.adopted) {
            uri_of(task).save_queue.emplace(~task.memory.count, task.id);
        }
    }
    rearm(task);
}

/// The URI answers again. What happened to the guest meanwhile is in the listing.
void DrainRun::judge_again(Context& ctx, DrainTask& task) {
    const auto* guest = ctx.fleet.find(task.id);
    if (guest == nullptr || !is_active(guest->info.state)) {
        if (!task.awaits_start)
            on_gone(ctx, task);
        return;
    }
    if (task.awaits_start) {
        task.awaits_start = false;
        make_ready(task);
        return rearm(task);
    }
    if (!task.begun || task.call != 0)
        return;
    if (task.current().kind == RungKind::save) {
        task.adopted = guest->info.saving;
        if (!task.adopted)
            uri_of(task).save_queue.emplace(~task.memory.count, task.id);
    }
    task.next_request = task.adopted ? ctx.now + kAdoptedProbe : ctx.now;
    rearm(task);
}

void DrainRun::on_gone(Context& ctx, DrainTask& task) {
    if (const auto agent = std::exchange(task.agent_call, 0); agent != 0)
        ctx.calls.abandon(ctx.out, agent);
    const auto* guest = ctx.fleet.find(task.id);
    // What an event said of the stop, if it has come; else the state and the rung tell.
    const auto last = guest != nullptr && guest->last && is_stop(*guest->last)
                          ? guest->last
                          : std::optional<Lifecycle>{};
    const auto kind = task.begun ? task.current().kind : RungKind::wait;
    if (!task.begun)
        add_cause(task, "it stopped by itself");
    Outcome outcome = Outcome::shut_down;
    if (last == Lifecycle::saved || (!last && guest != nullptr && guest->info.managed_save))
        outcome = Outcome::saved;
    else if (last == Lifecycle::destroyed || (!last && kind == RungKind::destroy))
        outcome = Outcome::destroyed;
    else if (last == Lifecycle::migrated)
        outcome = Outcome::migrated;
    else if (last == Lifecycle::crashed)
        outcome = Outcome::failed;
    if (outcome == Outcome::failed)
        add_cause(task, "QEMU crashed");
    if (outcome == Outcome::destroyed && kind != RungKind::destroy)
        add_cause(task, "destroyed by somebody else");
    finish(ctx, task, outcome, task.cause);
}

void DrainRun::rearm(DrainTask& task) {
    auto at = task.deadline;
    if (!task.begun)
        at = std::min(at, task.latest_start);
    else
        at = std::min({at, task.rung_end, task.next_request});
    agenda_.set(task.id, at);
}

}  // namespace guestd::core
