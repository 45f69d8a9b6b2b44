// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One guest on its stop ladder: from rung to rung, by time and by what became of it.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// Between tries of what libvirt's absence or a missing answer has held up: no hot loop.
constexpr Duration kTryAgain = 1s;
/// How long a reading may take that confirms what an event told; then the event is believed.
constexpr Duration kConfirmTime = 5s;

/// The rung on which a save that is already under way is waited for.
std::size_t save_rung(std::vector<Rung>& ladder) {
    const auto found = std::ranges::find(ladder, RungKind::save, &Rung::kind);
    if (found != ladder.end())
        return static_cast<std::size_t>(found - ladder.begin());
    ladder.insert(ladder.begin(), Rung{.kind = RungKind::save, .time = kDefaultSaveTime});
    return 0;
}

/// What an event said of the stop, if it has come; else the state and the rung tell.
Outcome outcome_of_stop(const Guest* guest, bool destroying) {
    const auto told =
        guest != nullptr ? guest->last.value_or(Lifecycle::booted) : Lifecycle::booted;
    if (!is_stop(told)) {
        if (guest != nullptr && guest->info.managed_save)
            return Outcome::saved;
        return destroying ? Outcome::destroyed : Outcome::shut_down;
    }
    if (told == Lifecycle::saved)
        return Outcome::saved;
    if (told == Lifecycle::destroyed)
        return Outcome::destroyed;
    if (told == Lifecycle::migrated)
        return Outcome::migrated;
    return told == Lifecycle::crashed ? Outcome::failed : Outcome::shut_down;
}

}  // namespace

void add_cause(Task& task, const std::string& text) {
    if (!task.cause.empty())
        task.cause += "; ";
    task.cause += text;
}

void DrainRun::begin_ladder(Context& ctx, DrainTask& task) {
    leave_queues(ctx, task);
    task.awaits_start = false;
    task.counts_as_shutting = true;
    ++uri_of(task).shutting;
    if (needs_clearing(ctx, task))
        return clear(ctx, task);
    mount_ladder(ctx, task);
}

void DrainRun::mount_ladder(Context& ctx, DrainTask& task) {
    task.clearing = task.aborting = false;
    count_as_looking(task, false);
    task.call = task.abort = 0;
    task.begun = true;
    task.rung = 0;
    // The state may have changed while it waited.
    if (const auto* guest = ctx.fleet.find(task.id)) {
        auto info = guest->info;
        const auto under_way = ctx.calls.find(task.id, CallKind::save);
        const bool saving = info.saving || under_way;
        if (info.state == GuestState::paused && (saving || info.starting || guest->paused_by_us))
            info.state = GuestState::running;  // paused by or for that only
        task.ladder = effective_ladder(task.policy, info);
        if (saving && task.ladder.front().kind != RungKind::leave) {
            task.rung = save_rung(task.ladder);
            task.call = under_way.value_or(0);
        }
    }
    // One that we have frozen for a save which is not its first step any more cannot obey.
    const auto first = task.ladder[task.rung].kind;
    if (const auto* guest = ctx.fleet.find(task.id);
        guest != nullptr && guest->paused_by_us && first != RungKind::save &&
        first != RungKind::destroy && first != RungKind::leave)
        task.ladder.insert(task.ladder.begin(),
                           Rung{.kind = RungKind::resume, .time = kPrepareTime});
    ctx.calls.abandon_modifying(ctx.out, task.id, task.call);
    if (task.ladder[task.rung].kind == RungKind::save &&
        std::exchange(task.counts_as_shutting, false))
        --uri_of(task).shutting;
    task.ends = latest_ends(task.ladder, ctx.now, task.deadline);
    go_on_where_it_was(ctx, task);
    task.started = task.begun_before.value_or(ctx.now);
    ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, task)});
    enter_rung(ctx, task);
}

/// Asked by a life of guestd that was killed: the time of a shutdown runs from then.
void DrainRun::go_on_where_it_was(const Context& ctx, DrainTask& task) {
    task.spent = {};
    if (!task.begun_before || task.rung != 0)
        return;
    auto had = std::max(ctx.now - *task.begun_before, Duration::zero());
    while (task.current().kind == RungKind::shutdown && task.rung + 1 < task.ladder.size() &&
           had >= task.current().time) {
        add_cause(task, std::string{to_string(RungKind::shutdown)} + ": no effect within " +
                            seconds(task.current().time));
        had -= task.current().time;
        ++task.rung;
    }
    if (task.current().kind == RungKind::shutdown)
        task.spent = std::min(had, task.current().time);
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
    enter_phase(ctx, record_.id, task, std::string{to_string(rung.kind)},
                task.phase == "waiting" ? task.held_for : std::string{});
    task.attempts = 0;
    task.acknowledged = task.aborting = task.adopted = task.overdue = task.suspending = false;
    task.next_request = kNever;
    // A last destroy is repeated until the deadline: there is nothing behind it. The time of
    // a save or a migration begins when it does, not while it waits for a place.
    const bool to_the_end = rung.kind == RungKind::destroy && task.rung + 1 == task.ladder.size();
    const auto last = task.ends[task.rung];
    task.rung_end = to_the_end || rung.kind == RungKind::save || rung.kind == RungKind::migrate
                        ? last
                        : std::min(ctx.now + rung.time - std::exchange(task.spent, {}), last);
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
    queue_to_save(task, false);
    count_as_saving(ctx, task, false);
    abandon_calls(ctx, task);
    if (task.current().kind == RungKind::save)
        wake_from_pause(ctx, task);
    add_cause(task, std::string{to_string(task.current().kind)} + ": " + std::move(why));
    ++task.rung;
    enter_rung(ctx, task);
}

void DrainRun::on_time(Context& ctx, DrainTask& task) {
    if (ctx.now >= task.deadline)
        return on_deadline(ctx, task);
    if (task.stop_by != kNever) {
        if (ctx.now < task.stop_by)
            return rearm(task);
        task.stop_by = kNever;
        if (!is_active(ctx.fleet.state(task.id)))
            return on_gone(ctx, task);
        make_ready(task);
    }
    if (task.clearing)
        return on_clearing_time(ctx, task);
    if (!task.begun)
        return on_time_before_ladder(ctx, task);
    if (!ctx.fleet.uri(task.id.uri).listed && ctx.now < task.ends[task.rung]) {
        // Nobody can be asked: the rung's own time stands still.
        task.rung_end = task.phase_deadline = task.ends[task.rung];
        task.next_request = kNever;
        return rearm(task);
    }
    if (task.current().kind == RungKind::save)
        return on_save_time(ctx, task);
    if (ctx.now >= task.rung_end && task.current().kind == RungKind::migrate && task.call != 0 &&
        !task.aborting) {
        abort_job(ctx, task);
        return rearm(task);
    }
    if (ctx.now >= task.rung_end && !unanswered_to_the_end(task))
        return next_rung(ctx, task, "no effect within " + seconds(ctx.now - task.since));
    if (ctx.now >= task.next_request) {
        task.next_request = kNever;
        request(ctx, task);
    }
    if (!task.over())
        rearm(task);
}

/// libvirt has not even taken the last step's request: its time begins when it does, and there is
/// none to save for later steps.
bool DrainRun::unanswered_to_the_end(DrainTask& task) {
    const bool last = task.rung + 1 == task.ladder.size();
    if (!last || task.call == 0 || task.acknowledged || task.rung_end >= task.ends.back())
        return false;
    task.overdue = true;
    task.rung_end = task.phase_deadline = task.ends.back();
    return true;
}

void DrainRun::on_deadline(Context& ctx, DrainTask& task) {
    if (task.begun && !is_active(ctx.fleet.state(task.id)))
        return on_gone(ctx, task);  // an event said so, and nobody is there to confirm it
    abandon_calls(ctx, task);
    const auto& uri = ctx.fleet.uri(task.id.uri);
    add_cause(task, uri.listed ? "the deadline has passed"
                               : "libvirt did not answer before the deadline: " + uri.reason);
    finish(ctx, task, Outcome::failed, task.cause);
}

void DrainRun::on_time_before_ladder(Context& ctx, DrainTask& task) {
    const bool may =
        ctx.fleet.uri(task.id.uri).listed || task.ladder.front().kind == RungKind::leave;
    if (may && task.intent == 0 && ctx.now >= task.latest_start)
        return begin_ladder(ctx, task);
    if (ctx.now >= task.latest_start)
        task.latest_start = ctx.now + kTryAgain;
    rearm(task);
}

/// The URI answers again. What happened to the guest meanwhile is in the listing.
void DrainRun::judge_again(Context& ctx, DrainTask& task) {
    const auto* guest = ctx.fleet.find(task.id);
    const bool active = guest != nullptr && is_active(guest->info.state);
    if (task.awaits_start) {
        if (ctx.calls.modifying(task.id))
            return;  // its return comes, and tells
        task.awaits_start = false;
        if (active) {
            task.half_started = guest->info.starting;
            make_ready(task);
            return rearm(task);
        }
        return never_came_up(ctx, task);
    }
    if (!active)
        return on_gone(ctx, task);
    task.stop_by = kNever;
    if (task.clearing && task.call == 0)
        inspect(ctx, task);
    if (!task.begun)
        return rearm(task);
    const auto last = task.ends[task.rung];
    const auto kind = task.current().kind;
    if (kind != RungKind::destroy && kind != RungKind::save)
        task.rung_end = task.phase_deadline = std::min(ctx.now + task.current().time, last);
    if (task.call == 0) {
        if (kind == RungKind::save) {
            task.adopted = false;
            count_as_saving(ctx, task, false);
            queue_to_save(task, false);
            task.suspending = false;
            request_save(ctx, task);
        } else if (kind != RungKind::shutdown || !task.acknowledged) {
            task.next_request = ctx.now;
        } else if (task.policy.resend > Duration::zero()) {
            task.next_request = ctx.now + task.policy.resend;
        }
    }
    rearm(task);
}

/// An event is a hint, and may be of an earlier stop. A call under way that ends with the guest
/// tells by itself; else the guest is looked up.
void DrainRun::on_stop_told(Context& ctx, DrainTask& task) {
    if (task.stop_by == kNever)
        task.stop_by = ctx.now + kConfirmTime;
    uri_of(task).ready.erase(ready_key(task));
    const bool tells = task.call != 0 && (task.on(RungKind::save) || task.on(RungKind::destroy));
    if (!tells)
        look(ctx, task);
    rearm(task);
}

void DrainRun::on_gone(Context& ctx, DrainTask& task) {
    if (!task.begun)
        add_cause(task, "it stopped by itself");
    auto outcome = outcome_of_stop(ctx.fleet.find(task.id), task.on(RungKind::destroy));
    if (outcome == Outcome::shut_down && task.on(RungKind::migrate) && task.acknowledged)
        outcome = Outcome::migrated;
    if (task.half_started && (outcome == Outcome::failed || outcome == Outcome::shut_down))
        return never_came_up(ctx, task);  // killed by libvirt, which had died while it started it
    if (outcome == Outcome::failed)
        add_cause(task, "QEMU crashed");
    if (outcome == Outcome::destroyed && !task.on(RungKind::destroy))
        add_cause(task, "destroyed by somebody else");
    task.gone = true;
    finish(ctx, task, outcome, task.cause);
}

void DrainRun::rearm(DrainTask& task) {
    auto next = task.begun || task.clearing ? std::min(task.rung_end, task.next_request)
                                            : task.latest_start;
    if (task.stop_by != kNever)
        next = task.stop_by;  // nothing else is done before that is clear
    agenda_.set(task.id, std::min(task.deadline, next));
}

}  // namespace guestd::core
