// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One guest on its way up: started, confirmed running, ready; or tried again.
#include <algorithm>
#include <utility>

#include "core/boot_run.hpp"

namespace guestd::core {
namespace {

/// The start event and the start call's reply come on different connections: how long the reply
/// waits for the event that tells a restore from a cold boot.
constexpr Duration kStartEventTime = 2s;
/// After a start whose result is unknown though libvirt answers.
constexpr Duration kUnknownRetry = 1s;
/// How long a guest that was asked to go down before the drain was cancelled may still do so:
/// systemd gives a service 90 s to stop by default.
constexpr Duration kWatchTime = 2min;

/// How long libvirt may take for a start before its place goes to the next guest: others may hold
/// its workers, and an image is read at a slow disk's speed, which all that start share.
constexpr Duration kStartTime = 10min;
constexpr std::uint64_t kSlowestRestore = 50ULL << 20;  // bytes per second

/// Exponential, capped, and spread by up to a fifth so that guests that failed together do not come
/// back together. The spread is a function of guest and attempt: the core has no dice.
Duration backoff(const Retry& retry, unsigned attempt, const Uuid& uuid) {
    const unsigned doublings = std::min(attempt > 0 ? attempt - 1 : 0, 20U);
    const auto grown = std::min(retry.max_backoff, Duration{retry.backoff * (1L << doublings)});
    const auto dice = (std::hash<Uuid>{}(uuid) + attempt * 7919U) % 1000;
    return grown + grown * static_cast<long>(dice) / 5000;
}

}  // namespace

std::tuple<long, std::uint64_t, GuestId> BootRun::key(const BootTask& task) {
    return {-static_cast<long>(task.priority), ~(task.had_image ? task.memory.count : 0), task.id};
}

void BootRun::start(Context& ctx, BootTask& task) {
    leave_stage(task);
    enter_phase(ctx, record_.id, task, "starting");
    task.stage = Stage::starting;
    ++uri_of(task).active;
    ++task.attempts;
    if (!task.started)
        task.started = ctx.now;
    if (const auto* guest = ctx.fleet.find(task.id))
        task.had_image = guest->info.managed_save;
    ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, task)});
    ctx.out.emplace_back(Notice{.kind = NoticeKind::step_started,
                                .run = record_.id,
                                .guest = task.id,
                                .name = task.name,
                                .what = task.had_image ? "restore" : "start"});
    task.call = ctx.calls.submit(
        ctx.out,
        Call{.guest = task.id, .kind = CallKind::start, .bypass_cache = task.policy.bypass_cache},
        ctx.now);
    agenda_.set(task.id, ctx.now + start_time(task));
}

Duration BootRun::start_time(const BootTask& task) {
    const auto beside = std::max(1U, uri_of(task).active);
    return kStartTime + std::chrono::seconds{task.memory.count * beside / kSlowestRestore};
}

/// The mark that a drain made in libvirt itself, when our list could not be written.
void BootRun::forget(Context& ctx, const GuestId& id) {
    const auto* guest = ctx.fleet.find(id);
    if (guest != nullptr && guest->info.remembered)
        ctx.calls.submit(ctx.out, Call{.guest = id, .kind = CallKind::forget}, ctx.now);
}

/// First its place goes to the next guest: a start that is only slow may still succeed, and those
/// that depend on it wait for that. As much time again later it has failed; should it come up after
/// all, its entry leaves the list.
void BootRun::start_overdue(Context& ctx, BootTask& task) {
    const auto time = start_time(task);
    if (task.stage == Stage::starting) {
        leave_stage(task);
        task.stage = Stage::overdue;
        task.held_for = "libvirt to answer its start";
        remark(ctx, record_.id, &task, NoticeKind::guest_held,
               "libvirt has not answered its start for " + seconds(time) +
                   ": its place goes to the next guest",
               true);
        return agenda_.set(task.id, ctx.now + time);
    }
    ctx.calls.abandon(ctx.out, std::exchange(task.call, 0));
    finish(ctx, task, Outcome::failed,
           "libvirt has not answered its start for " + seconds(time + time));
}

/// Confirmed running: whatever comes, it is off the list.
void BootRun::came_up(Context& ctx, BootTask& task) {
    ctx.resume.drop(ctx.out, ctx.uri_text(task.id.uri), task.id.uuid);
    forget(ctx, task.id);
    if (task.attempts == 0)
        return finish(ctx, task, Outcome::already_running, "started by somebody else");
    leave_stage(task);
    enter_phase(ctx, record_.id, task, "settling");
    task.stage = Stage::settling;
    ++uri_of(task).active;
    task.up_since = ctx.now;
    task.ready_by = ctx.now + task.policy.ready_timeout;
    task.phase_deadline = task.ready_by;
    // Outcome without end: whoever continues this run must not start it again.
    ctx.out.emplace_back(StoreGuest{row_of(ctx, task)});
    check_ready(ctx, task);
}

bool BootRun::is_ready(const Context& ctx, const BootTask& task, TimePoint& look_again) const {
    const auto* guest = ctx.fleet.find(task.id);
    const auto not_before = [&](TimePoint at) {
        if (ctx.now < at)
            look_again = std::min(look_again, at);
        return ctx.now >= at;
    };
    const bool told = guest != nullptr && guest->last && is_start(*guest->last);
    bool ready = told || not_before(task.up_since + kStartEventTime);
    if (task.was_paused && guest != nullptr && guest->info.state == GuestState::paused)
        return ready;  // as it was; it cannot do any more
    for (const auto& probe : task.policy.ready) {
        if (probe.kind == ProbeKind::delay)
            ready = not_before(task.up_since + probe.span) && ready;
        if (probe.kind == ProbeKind::agent && guest != nullptr && guest->info.agent_channel)
            ready = guest->info.agent_connected && ready;
    }
    return ready;
}

void BootRun::check_ready(Context& ctx, BootTask& task) {
    if (task.stage != Stage::settling)
        return;
    auto look_again = task.ready_by;
    const bool ready = is_ready(ctx, task, look_again);
    if (!ready && ctx.now < task.ready_by)
        return agenda_.set(task.id, look_again);

    const auto* guest = ctx.fleet.find(task.id);
    const bool told = guest != nullptr && guest->last && is_start(*guest->last);
    const bool cold = told && guest->last != Lifecycle::restored;
    std::string cause;
    if (!ready)
        cause = "not ready within " + seconds(task.policy.ready_timeout);
    const auto add = [&cause](const char* text) {
        cause += cause.empty() ? text : std::string{"; "} + text;
    };
    if (task.had_image && cold)
        add("its saved image was not used: it booted cold");
    if (!task.had_image && task.expect_restore)
        add("it had been saved, but its image is gone: it booted cold");
    if (!ready && task.policy.on_ready_timeout == OnReadyTimeout::fail)
        return finish(ctx, task, Outcome::failed, "it runs, but was " + cause);
    finish(ctx, task, task.had_image && !cold ? Outcome::restored : Outcome::started, cause);
}

void BootRun::start_failed(Context& ctx, BootTask& task, const CallReturned& event) {
    if (event.status == CallStatus::unknown) {
        rest(ctx, task, kUnknownRetry, "the result of its start is unknown");
        return;
    }
    const std::string why =
        event.message.empty() ? std::string{"libvirt says that it was started, but it does not run"}
                              : event.message;
    const auto& uri = ctx.uri_text(task.id.uri);
    if (const auto* entry = ctx.resume.find(uri, task.id.uuid); entry != nullptr) {
        auto failed = *entry;
        failed.last_error = why;
        ctx.resume.put(ctx.out, failed);
    }
    if (event.status == CallStatus::busy) {
        rest(ctx, task, task.policy.retry.max_backoff, "its disk lock is held elsewhere");
        return remark(ctx, record_.id, &task, NoticeKind::guest_held, "held elsewhere: " + why,
                      true);
    }
    if (event.observed && event.observed->state == GuestState::absent)
        return finish(ctx, task, Outcome::gone, "libvirt does not know this guest any more");
    if (++task.failures >= task.policy.retry.attempts)
        return finish(ctx, task, Outcome::failed, why);
    rest(ctx, task, backoff(task.policy.retry, task.failures, task.id.uuid), "its next try");
    remark(ctx, record_.id, &task, NoticeKind::guest_retrying,
           "try " + std::to_string(task.failures) + " of " +
               std::to_string(task.policy.retry.attempts) + ": " + why,
           true);
}

void BootRun::rest(Context& ctx, BootTask& task, Duration time, std::string held_for) {
    leave_stage(task);
    if (task.phase != "waiting" || task.held_for != held_for)
        enter_phase(ctx, record_.id, task, "waiting", held_for);
    task.held_for = std::move(held_for);
    task.stage = Stage::resting;
    task.next_try = ctx.now + time;
    agenda_.set(task.id, task.next_try);
}

/// Begins the watch over a guest that may still go down, and ends it when its time is up.
void BootRun::watch(Context& ctx, BootTask& task) {
    if (task.stage != Stage::watched) {
        task.stage = Stage::watched;
        enter_phase(ctx, record_.id, task, "watched");
        task.held_for = "whether it still goes down, as it was asked to";
        task.phase_deadline = ctx.now + kWatchTime;
        return agenda_.set(task.id, task.phase_deadline);
    }
    const auto* guest = ctx.fleet.find(task.id);
    if (ctx.calls.modifying(task.id) || (guest != nullptr && guest->info.saving)) {
        task.phase_deadline = ctx.now + kWatchTime;  // a save that outlived its abort, say
        look(ctx, task);
        return agenda_.set(task.id, task.phase_deadline);
    }
    ctx.resume.drop(ctx.out, ctx.uri_text(task.id.uri), task.id.uuid);
    finish(ctx, task, Outcome::already_running, "it did not go down");
}

void BootRun::look(Context& ctx, BootTask& task) {
    if (task.look == 0 && ctx.fleet.uri(task.id.uri).listed)
        task.look =
            ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::probe}, ctx.now);
}

void BootRun::seen_down(Context& ctx, BootTask& task) {
    if (task.stage == Stage::watched) {
        agenda_.clear(task.id);
        enter_phase(ctx, record_.id, task, "waiting");
        make_ready(ctx, task);
    } else if (task.stage == Stage::settling) {
        const auto* guest = ctx.fleet.find(task.id);
        if (guest != nullptr && guest->last == Lifecycle::crashed)
            return finish(ctx, task, Outcome::failed, "it crashed before it was ready");
        finish(ctx, task, task.had_image ? Outcome::restored : Outcome::started,
               "it stopped again before it was ready");
    }
}

void BootRun::finish(Context& ctx, BootTask& task, Outcome outcome, std::string cause) {
    leave_stage(task);
    task.stage = Stage::over;
    conclude(ctx, record_.id, task, outcome, std::move(cause));
    agenda_.clear(task.id);
    --pending_;
    const bool failed = outcome == Outcome::failed || outcome == Outcome::gone;
    for (const auto& [id, hard] : task.dependents) {
        auto& next = tasks_.at(id);
        if (hard && failed && next.dead_need.empty())
            next.dead_need = task.name + ", which failed";
        if (next.missing > 0 && --next.missing == 0)
            make_ready(ctx, next);
    }
}

void BootRun::leave_stage(BootTask& task) {
    auto& uri = uri_of(task);
    uri.ready.erase(key(task));
    if (task.stage == Stage::starting || task.stage == Stage::settling)
        --uri.active;
}

}  // namespace guestd::core
