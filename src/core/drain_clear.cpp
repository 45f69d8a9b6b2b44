// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Before a guest's ladder: whatever else is going on with it. Somebody's backup, migration or block
// job has its time to end (`busy`), then it is aborted; and when the resume list could not be
// written, libvirt itself is made to remember the guest.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// An answer takes a millisecond, unless the guest is stuck: then its ladder does not wait for one.
constexpr Duration kInspectTime = 1s;
/// With less than this before the deadline, the ladder needs it all.
constexpr Duration kShortOfTime = 10s;
/// Between looks at a job of somebody else; its end comes with no event that all versions have.
constexpr Duration kBusyLook = 2s;

}  // namespace

bool DrainRun::needs_clearing(const Context& ctx, const DrainTask& task) const {
    const auto* guest = ctx.fleet.find(task.id);
    if (guest == nullptr || !ctx.fleet.uri(task.id.uri).listed ||
        task.ladder.front().kind == RungKind::leave || task.deadline - ctx.now < kShortOfTime)
        return false;
    const bool inspect =
        (guest->info.state == GuestState::running || guest->info.state == GuestState::paused) &&
        !guest->info.saving && !ctx.calls.find(task.id, CallKind::save);
    return inspect || (list_lost_ && task.persistent);
}

/// While any guest is looked at, no save begins: who is the largest is not known yet.
void DrainRun::count_as_looking(DrainTask& task, bool on) {
    if (std::exchange(task.looking, on) == on)
        return;
    auto& looking = uri_of(task).looking;
    looking = on ? looking + 1 : looking - 1;
}

void DrainRun::clear(Context& ctx, DrainTask& task) {
    task.clearing = true;
    count_as_looking(task, true);
    task.rung_end = ctx.now + kInspectTime;
    task.next_request = kNever;
    const auto kind = list_lost_ && task.persistent ? CallKind::remember : CallKind::inspect;
    task.call = ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = kind}, ctx.now);
    rearm(task);
}

void DrainRun::inspect(Context& ctx, DrainTask& task) {
    task.next_request = kNever;
    task.call =
        ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::inspect}, ctx.now);
}

void DrainRun::on_clearing_returned(Context& ctx, DrainTask& task, const CallReturned& event,
                                    CallKind kind) {
    if (kind == CallKind::remember) {
        if (event.status != CallStatus::done)
            remark(ctx, record_.id, &task, NoticeKind::remark,
                   "libvirt could not be made to remember it either: " + event.message, true);
        inspect(ctx, task);
        return rearm(task);
    }
    if (kind != CallKind::inspect) {  // the abort: what came of it?
        inspect(ctx, task);
        return rearm(task);
    }
    const bool busy = event.status == CallStatus::done && event.job != GuestJob::none &&
                      event.job != GuestJob::save;
    if (!busy) {
        if (task.aborting)
            add_cause(task, "a " + std::string{to_string(task.job)} + " was aborted");
        return mount_ladder(ctx, task);
    }
    count_as_looking(task, false);
    if (task.job == GuestJob::none) {
        task.job = event.job;
        const auto what = std::string{to_string(event.job)};
        enter_phase(ctx, record_.id, task, "busy");
        task.held_for = "a " + what + " to end";
        // A step like the others: when they do not all fit, each is shortened in proportion.
        const auto whole = task.policy.busy + total_time(task.ladder);
        const auto left = std::max(task.deadline - ctx.now, Duration::zero());
        const auto time = shortened(task.policy.busy, left, whole);
        task.rung_end = task.phase_deadline = ctx.now + time;
        remark(ctx, record_.id, &task, NoticeKind::guest_held, "a " + what + " is under way",
               false);
    }
    task.next_request = ctx.now + kBusyLook;
    rearm(task);
}

void DrainRun::on_clearing_time(Context& ctx, DrainTask& task) {
    if (ctx.now >= task.rung_end) {
        if (task.call != 0)
            ctx.calls.abandon(ctx.out, std::exchange(task.call, 0));
        if (task.job == GuestJob::none)
            return mount_ladder(ctx, task);
        if (task.aborting) {
            add_cause(task, "a " + std::string{to_string(task.job)} + " did not end when aborted");
            return mount_ladder(ctx, task);
        }
        abort_job(ctx, task);
        task.call = std::exchange(task.abort, 0);
        task.next_request = kNever;
    } else if (ctx.now >= task.next_request) {
        inspect(ctx, task);
    }
    rearm(task);
}

}  // namespace guestd::core
