// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Managed saves: who saves when, how many at once, and which one cannot make it.
//
// Critical guests first. While there is time for all: the largest first, as many as libvirt serves,
// one after another (save_window.hpp). Else the smallest first, as many at once as keep the disk
// busy, so that most make it. A save that would miss its time is aborted early: the others get the
// disk, and its own guest the rest of its ladder.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// An aborted job returns as soon as QEMU has stopped the migration, normally within a second.
constexpr Duration kAbortTime = 10s;
/// Between looks at a save that goes on without a call of ours; its end also comes as an event.
constexpr Duration kAdoptedLook = 2s;
/// Between tries of what libvirt's absence or a missing answer has held up: no hot loop.
constexpr Duration kTryAgain = 1s;
/// A projection that is past the end by less is no reason to abort.
constexpr Duration kSlack = 1s;
/// So long a projection must have said so before anything is given up for it.
constexpr Duration kSettleTime = 2s;
/// Statistics of each save come once a second: to judge all saves at each of them tells no more.
constexpr Duration kJudgeEvery = 500ms;

}  // namespace

DrainRun::SaveKey DrainRun::save_key(const DrainTask& task) {
    return {-tier_rank(task.tier), ~task.memory.count, task.id};
}

void DrainRun::queue_to_save(DrainTask& task, bool on) {
    auto& uri = uri_of(task);
    const bool changed = on ? uri.save_queue.insert(save_key(task)).second
                            : uri.save_queue.erase(save_key(task)) > 0;
    if (changed)
        uri.queued.count =
            on ? uri.queued.count + task.memory.count : uri.queued.count - task.memory.count;
}

void DrainRun::count_as_saving(Context& ctx, DrainTask& task, bool on, bool complete) {
    if (std::exchange(task.counts_as_saving, on) == on)
        return;
    auto& uri = uri_of(task);
    uri.saving = on ? uri.saving + 1 : uri.saving - 1;
    if (on) {
        uri.pace.began(task.id, task.memory, ctx.now, task.adopted);
        uri.window.began(task.id, ctx.now);
    } else {
        uri.pace.ended(task.id, complete, ctx.now);
        uri.window.ended(task.id);
    }
}

/// Joins the queue, or adopts the save that is already going on.
void DrainRun::request_save(Context& ctx, DrainTask& task) {
    const auto* guest = ctx.fleet.find(task.id);
    if (task.call == 0 && (guest == nullptr || !guest->info.saving)) {
        if (task.policy.pause_before_save && guest != nullptr &&
            guest->info.state == GuestState::running && ctx.fleet.uri(task.id.uri).listed &&
            !std::exchange(task.suspending, true)) {
            task.call = ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::suspend},
                                         ctx.now);
            return;
        }
        task.held_for = "a free place to save";
        task.next_request = ctx.now + (task.rung_end - ctx.now) / 2;
        queue_to_save(task, true);
        return;
    }
    task.adopted = task.call == 0;
    task.save_begun = true;
    count_as_saving(ctx, task, true);
    task.rung_end = task.phase_deadline =
        std::min(ctx.now + task.current().time, task.ends[task.rung]);
    task.next_request = task.adopted ? ctx.now + kTryAgain : kNever;
}

void DrainRun::submit_save(Context& ctx, DrainTask& task) {
    queue_to_save(task, false);
    count_as_saving(ctx, task, true);
    ++task.attempts;
    task.save_begun = true;
    if (task.since < ctx.now) {
        task.phase = "waiting";
        enter_phase(ctx, record_.id, task, "save", "for a free place to save");
    }
    task.held_for.clear();
    task.next_request = kNever;
    task.rung_end = task.phase_deadline =
        std::min(ctx.now + task.current().time, task.ends[task.rung]);
    Call call{.guest = task.id, .kind = CallKind::save, .bypass_cache = task.policy.bypass_cache};
    if (const auto* guest = ctx.fleet.find(task.id); guest != nullptr && guest->paused_by_us)
        call.save_as = GuestState::running;
    task.call = ctx.calls.submit(ctx.out, std::move(call), ctx.now);
    rearm(task);
}

/// The largest first, so that all are done soonest; when not all can be done, the smallest, so that
/// most are. Critical ones before others in either case.
GuestId DrainRun::next_to_save(const Uri& uri, bool short_of_time) {
    if (!short_of_time)
        return std::get<GuestId>(*uri.save_queue.begin());
    const auto rank = std::get<0>(*uri.save_queue.begin());
    return std::get<GuestId>(*std::prev(uri.save_queue.lower_bound({rank + 1, 0, GuestId{}})));
}

void DrainRun::fill_saves(Context& ctx, UriId id) {
    auto& uri = uris_[static_cast<std::size_t>(id)];
    const auto& state = ctx.fleet.uri(id);
    while (uri.looking == 0 && !uri.save_queue.empty() &&
           ctx.calls.long_calls(id) < state.long_calls) {
        const auto& first = tasks_.at(std::get<GuestId>(*uri.save_queue.begin()));
        const auto enough = uri.pace.enough(uri.queued, first.ends[first.rung], ctx.now);
        const auto limit = uri.policy.parallel_save;
        const auto places = limit != 0 ? limit : enough.value_or(0);
        if ((places != 0 && uri.saving >= places) || uri.window.full())
            return;
        submit_save(ctx, tasks_.at(next_to_save(uri, enough.has_value())));
    }
}

void DrainRun::on_progressed(Context& ctx, const SaveProgressed& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end() || found->second.over())
        return;
    auto& task = found->second;
    task.done = event.done;
    task.total = event.total;
    if (!task.counts_as_saving || event.total.count == 0)
        return;  // QEMU has not counted its memory yet
    auto left = event.total.count - std::min(event.done.count, event.total.count);
    // Memory that was never touched takes no time.
    if (event.expected.count > 0)
        left = std::min(left,
                        event.expected.count - std::min(event.written.count, event.expected.count));
    uri_of(task).pace.progressed(task.id, Bytes{left}, event.at);
    abort_hopeless(ctx, uri_of(task));
}

/// When those under way will not all make it, and that has been so for a while: as many go on as
/// can make it, the critical ones first, then those with least left; the others are given up. A
/// save that has no step behind it goes on to its end: it may make it yet, and there is nothing
/// else to try.
void DrainRun::abort_hopeless(Context& ctx, Uri& uri) {
    if (ctx.now - uri.judged < kJudgeEvery)
        return;
    const auto ends = uri.pace.projection(ctx.now);
    const bool late =
        uri.pace.measured(ctx.now) && std::ranges::any_of(ends, [&](const auto& each) {
            const auto& task = tasks_.at(each.first);
            return each.second > task.rung_end + (task.rung_end - ctx.now) / 10 + kSlack;
        });
    // Whoever has not looked for a while starts anew: guestd itself may have been stopped.
    const bool gap = ctx.now - std::exchange(uri.judged, ctx.now) > kSettleTime;
    if (!late || gap)
        uri.late_since = kNever;
    if (!late)
        return;
    uri.late_since = std::min(uri.late_since, ctx.now);
    if (ctx.now - uri.late_since < kSettleTime)
        return;
    uri.late_since = kNever;
    std::vector<DrainTask*> tasks;
    tasks.reserve(ends.size());
    for (const auto& [id, end] : ends)
        tasks.push_back(&tasks_.at(id));
    std::ranges::sort(tasks, {}, [&](const DrainTask* task) {
        return std::pair{-tier_rank(task->tier), ends.at(task->id)};
    });
    std::uint64_t kept = 0;
    for (auto* task : tasks) {
        const auto left = uri.pace.left(task->id).count;
        const bool last = task->rung + 1 == task->ladder.size();
        if (last || ctx.now + uri.pace.time_for(Bytes{kept + left}, ctx.now) <= task->rung_end) {
            kept += left;
        } else if (!task->aborting) {
            abort_job(ctx, *task);
            rearm(*task);
        }
    }
}

/// What comes after it must still have time, however short the deadline.
void DrainRun::abort_job(Context& ctx, DrainTask& task) {
    task.aborting = true;
    const bool last = task.begun && task.rung + 1 == task.ladder.size();
    const auto left = task.deadline - ctx.now;
    task.rung_end = ctx.now + std::min(Duration{kAbortTime}, last ? left : left / 2);
    const auto kind =
        task.job == GuestJob::block && !task.begun ? CallKind::abort_block : CallKind::abort_job;
    task.abort = ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = kind}, ctx.now);
}

void DrainRun::on_save_time(Context& ctx, DrainTask& task) {
    if (ctx.now >= task.rung_end) {
        if (!task.counts_as_saving)
            return next_rung(ctx, task,
                             task.acknowledged ? "it goes down, but did not end in time"
                                               : "no free place to save in time");
        if (task.aborting)
            return next_rung(ctx, task, "did not end when aborted");
        abort_job(ctx, task);
    } else if (ctx.now >= task.next_request) {
        task.next_request = kNever;
        if (task.adopted) {
            task.next_request = ctx.now + kAdoptedLook;
            look(ctx, task);
        } else if (!task.counts_as_saving && task.call == 0) {
            // Half of what it had to wait in is gone: our limit widens, libvirt's does not.
            const auto& uri = ctx.fleet.uri(task.id.uri);
            if (uri.listed && ctx.calls.long_calls(task.id.uri) < uri.long_calls)
                submit_save(ctx, task);
            else
                task.next_request = ctx.now + kTryAgain;
        }
    }
    rearm(task);
}

/// For what comes after a save that was not made: a guest that we have frozen cannot obey.
void DrainRun::wake_from_pause(Context& ctx, DrainTask& task) {
    const auto* guest = ctx.fleet.find(task.id);
    if (guest == nullptr || !guest->paused_by_us || guest->info.state != GuestState::paused)
        return;
    const auto at = task.rung + 1;
    if (at < task.ladder.size() && task.ladder[at].kind == RungKind::destroy)
        return;
    const auto end =
        std::min(ctx.now + kPrepareTime, at < task.ladder.size() ? task.ends[at] : task.deadline);
    task.ladder.insert(task.ladder.begin() + static_cast<std::ptrdiff_t>(at),
                       Rung{.kind = RungKind::resume, .time = kPrepareTime});
    task.ends.insert(task.ends.begin() + static_cast<std::ptrdiff_t>(at), end);
}

/// For the next run, while it is known.
void DrainRun::learn(Context& ctx) {
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (const auto learned = uris_[i].pace.learned()) {
            const auto& uri = ctx.fleet.uris()[i].uri;
            ctx.learned.put(ctx.out, kLearnedDisk + uri, learned->disk);
            if (learned->stream > 0)
                ctx.learned.put(ctx.out, kLearnedStream + uri, learned->stream);
        }
}

}  // namespace guestd::core
