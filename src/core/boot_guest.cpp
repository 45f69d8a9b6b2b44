// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One guest on its way up: started, confirmed running, ready; or tried again.
#include <algorithm>
#include <utility>

#include "core/boot_run.hpp"
#include "core/clocks.hpp"

namespace guestd::core {
namespace {

/// The start event and the start call's reply come on different connections: how long the reply
/// waits for the event that tells a restore from a cold boot.
constexpr Duration kStartEventTime = 2s;
/// What there is to look at after a restore: an agent connects within seconds of it.
constexpr Duration kClockTime = 5min;
/// How long a guest that was asked to go down before the drain was cancelled may still do so:
/// systemd gives a service 90 s to stop by default.
constexpr Duration kWatchTime = 2min;

/// How long libvirt may take for a start before its place goes to the next guest: others may hold
/// its workers, and an image is read at a slow disk's speed, which all that start share.
constexpr Duration kStartTime = 10min;
/// Of a guest whose definition libvirt refuses; it costs one refused call.
constexpr Duration kUnfitRetry = 10min;
constexpr std::uint64_t kSlowestRestore = 50ULL << 20;  // bytes per second

/// Exponential, capped, and spread by up to a fifth so that guests that failed together do not come
/// back together. The spread is a function of guest and attempt: the core has no dice.
Duration backoff(const Retry& retry, unsigned attempt, const Uuid& uuid) {
    const unsigned doublings = std::min(attempt > 0 ? attempt - 1 : 0, 20U);
    const auto grown = std::min(retry.max_backoff, Duration{retry.backoff * (1L << doublings)});
    const auto dice = (std::hash<Uuid>{}(uuid) + attempt * std::size_t{7919}) % 1000;
    return grown + grown * static_cast<long>(dice) / 5000;
}

}  // namespace

std::tuple<long, std::uint64_t, GuestId> BootRun::key(const BootTask& task) {
    return {-static_cast<long>(task.priority), ~(task.had_image ? task.memory.count : 0), task.id};
}

void BootRun::start(Context& ctx, BootTask& task) {
    leave_stage(task);
    auto waited_for = std::exchange(task.waited_for, {});
    if (waited_for.empty())
        waited_for = std::exchange(uri_of(task).last_held, {});
    enter_phase(ctx, record_.id, task, "starting", std::move(waited_for));
    task.stage = Stage::starting;
    uri_of(task).throttle.entered(task.memory);
    uri_of(task).throttle.started(ctx.now);
    ++task.attempts;
    task.called = ctx.now;
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
    agenda_.set(task.id, ctx.now + start_time(task));
    if (!task.had_image || task.force_boot)
        return call_start(ctx, task);
    task.call =
        ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::inspect_image}, ctx.now);
}

void BootRun::call_start(Context& ctx, BootTask& task) {
    uri_of(task).throttle.started(ctx.now);
    task.call = ctx.calls.submit(ctx.out,
                                 Call{.guest = task.id,
                                      .kind = CallKind::start,
                                      .bypass_cache = task.policy.bypass_cache,
                                      .force_boot = task.force_boot},
                                 ctx.now);
}

/// By something that guestd can only wait for.
void BootRun::hold(Context& ctx, BootTask& task, std::string held_for) {
    const bool told = !task.waited_for.empty() || task.told_held == held_for;
    leave_stage(task);
    if (task.phase != "waiting")
        enter_phase(ctx, record_.id, task, "waiting");
    task.stage = Stage::held;
    agenda_.clear(task.id);
    if (!told)
        remark(ctx, record_.id, &task, NoticeKind::guest_held, "held for " + held_for, true);
    task.told_held = held_for;
    task.waited_for = task.held_for = std::move(held_for);
}

/// What it needs has come, or has gone.
void BootRun::unhold(Context& ctx, BootTask& task) {
    if (task.stage == Stage::waiting || (task.stage == Stage::held && !task.locked))
        make_ready(ctx, task);
}

/// What was wrong with it, or missing, may be so no longer.
void BootRun::redefined(Context& ctx, BootTask& task) {
    const auto* guest = ctx.fleet.find(task.id);
    if (task.stage != Stage::held || guest == nullptr)
        return;
    task.policy = ctx.guest_policy(task.id, guest->info, std::nullopt).start;
    if (task.locked)
        return;
    task.unfit.clear();
    gates_.drop(ctx, task.id);
    gates_.add(ctx, task.id, task.name, task.policy.needs);
    make_ready(ctx, task);
}

/// Their locks may have been held by a guest of this very host.
void BootRun::retry_locked(Context& ctx, UriId uri) {
    for (auto at = tasks_.lower_bound(GuestId{uri, {}}); at != tasks_.end() && at->first.uri == uri;
         ++at)
        if (at->second.locked)
            make_ready(ctx, at->second);
}

Duration BootRun::start_time(const BootTask& task) {
    const auto beside = std::max(1U, uri_of(task).throttle.active());
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
    gates_.drop(ctx, task.id);
    if (task.attempts == 0)
        return finish(ctx, task, Outcome::already_running, "started by somebody else");
    leave_stage(task);
    enter_phase(ctx, record_.id, task, "settling");
    task.stage = Stage::settling;
    uri_of(task).throttle.entered(task.memory);
    task.up_since = ctx.now;
    task.ready_by = ctx.now + task.policy.ready_timeout;
    task.phase_deadline = task.ready_by;
    // Outcome without end: whoever continues this run must not start it again.
    ctx.out.emplace_back(StoreGuest{row_of(ctx, task)});
    if (task.probes.begin(ctx, task.id, task.name, task.policy.ready))
        remark(ctx, record_.id, &task, NoticeKind::remark,
               "it has no agent channel: ready when its disks are quiet (io-settle)", false);
    if (task.had_image && !task.force_boot && !task.was_paused && task.policy.sync_time)
        ctx.clocks.set(ctx, record_.id, task.id, task.name, kClockTime);
    check_ready(ctx, task);
}

bool BootRun::is_ready(Context& ctx, BootTask& task, TimePoint& look_again) {
    const auto* guest = ctx.fleet.find(task.id);
    const bool told = guest != nullptr && guest->last && is_start(*guest->last);
    bool ready = told || ctx.now >= task.up_since + kStartEventTime;
    if (!ready)
        look_again = std::min(look_again, task.up_since + kStartEventTime);
    if (task.was_paused && guest != nullptr && guest->info.state == GuestState::paused)
        return ready;  // as it was; it cannot do any more
    task.probes.advance(ctx);
    look_again = std::min(look_again, task.probes.next_deadline());
    return task.probes.passed() && ready;
}

void BootRun::check_ready(Context& ctx, BootTask& task) {
    if (task.stage != Stage::settling)
        return;
    auto look_again = task.ready_by;
    const bool ready = is_ready(ctx, task, look_again);
    if (!ready && ctx.now < task.ready_by)
        return agenda_.set(task.id, look_again);
    now_ready(ctx, task, ready);
}

/// Or is taken for ready, as its time is up.
void BootRun::now_ready(Context& ctx, BootTask& task, bool ready) {
    const auto* guest = ctx.fleet.find(task.id);
    const bool told = guest != nullptr && guest->last && is_start(*guest->last);
    const bool cold = task.force_boot || (told && guest->last != Lifecycle::restored);
    const bool restored = task.had_image && !cold;
    std::string cause;
    const auto add = [&cause](const std::string& text) {
        cause += (cause.empty() ? "" : "; ") + text;
    };
    if (!ready)
        add("not ready within " + seconds(task.policy.ready_timeout) + ": " +
            task.probes.waiting_for());
    if (!restored && !task.cold_cause.empty())
        add(task.cold_cause);
    else if (!restored && task.had_image)
        add("its saved image was not used: it booted cold");
    else if (!restored && task.expect_restore && task.was_up && !told)
        add("it came up while guestd was away: from its saved image or cold, nobody saw");
    else if (!restored && task.expect_restore)
        add("it had been saved, but its image is gone: it booted cold");
    if (!ready && task.policy.on_ready_timeout == OnReadyTimeout::fail)
        return finish(ctx, task, Outcome::failed, "it runs, but was " + cause);
    if (ready) {
        leave_stage(task, true);
        task.stage = Stage::waiting;  // its place is given back
        const auto took = std::chrono::duration<double>(ctx.now - task.called).count();
        ctx.learned.put(ctx.out,
                        kLearnedReady + ctx.uri_text(task.id.uri) + " " + task.id.uuid.str(), took);
    }
    finish(ctx, task, restored ? Outcome::restored : Outcome::started, cause);
}

void BootRun::start_failed(Context& ctx, BootTask& task, const CallReturned& event) {
    if (event.status == CallStatus::unknown) {
        rest(ctx, task, kUnknownRetry, "the result of its start is unknown");
        return;
    }
    // Somebody's start that goes on, or one that died with its libvirtd, which kills the guest when
    // it is back. But libvirt 9.0 never does when there was no process yet (qemuProcessReconnect
    // passes over pid 0), and such a guest cannot even be destroyed.
    if (event.observed && event.observed->starting && task.started &&
        ctx.now < *task.started + start_time(task))
        return rest(ctx, task, backoff(task.policy.retry, task.attempts, task.id.uuid),
                    "a start under way to end");
    const std::string why =
        event.message.empty() ? std::string{"libvirt says that it was started, but it does not run"}
                              : event.message;
    note_error(ctx, task, why);
    if (event.status == CallStatus::busy) {
        hold(ctx, task, "the lock on its disk, which is held elsewhere: " + why);
        task.locked = true;
        return agenda_.set(task.id, ctx.now + task.policy.retry.max_backoff);
    }
    if (event.observed && event.observed->state == GuestState::absent)
        return finish(ctx, task, Outcome::gone, "libvirt does not know this guest any more");
    if (!event.missing.empty())
        return wait_for_disks(ctx, task, event.missing, why);
    if (event.status == CallStatus::unfit) {
        task.unfit = why;
        make_ready(ctx, task);
        // A package that was missing may come, and nobody tells of that.
        return agenda_.set(task.id, ctx.now + kUnfitRetry);
    }
    if (++task.failures >= task.policy.retry.attempts && out_of_tries(ctx, task, why))
        return;
    rest(ctx, task, backoff(task.policy.retry, task.failures, task.id.uuid), "its next try");
    remark(ctx, record_.id, &task, NoticeKind::guest_retrying,
           "try " + std::to_string(task.failures) + " of " +
               std::to_string(task.policy.retry.attempts) + ": " + why,
           true);
}

void BootRun::wait_for_disks(Context& ctx, BootTask& task, const std::vector<std::string>& missing,
                             const std::string& why) {
    std::vector<Need> paths;
    paths.reserve(missing.size());
    for (const auto& path : missing)
        paths.push_back(Need{NeedKind::path, path});
    gates_.add(ctx, task.id, task.name, paths);
    enter_phase(ctx, record_.id, task, "waiting", why);
    // Watched already, and nobody has told yet that it is gone again.
    if (gates_.known(task.id) && gates_.closed(task.id).empty())
        return rest(ctx, task, task.policy.retry.backoff, "a disk that comes and goes");
    make_ready(ctx, task);
}

void BootRun::note_error(Context& ctx, const BootTask& task, const std::string& why) {
    const auto* entry = ctx.resume.find(ctx.uri_text(task.id.uri), task.id.uuid);
    if (entry == nullptr || entry->last_error == why)
        return;
    auto failed = *entry;
    failed.last_error = why;
    ctx.resume.put(ctx.out, failed);
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
    const bool silent = !ctx.fleet.uri(task.id.uri).listed;  // what is known of it is old
    if (silent || ctx.calls.modifying(task.id) || (guest != nullptr && guest->info.saving)) {
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
    } else if (not_started(task) && ctx.fleet.state(task.id) == GuestState::absent) {
        finish(ctx, task, Outcome::gone, "libvirt does not know this guest any more");
    } else if (task.stage == Stage::settling) {
        const auto* guest = ctx.fleet.find(task.id);
        if (guest != nullptr && guest->last == Lifecycle::crashed)
            return finish(ctx, task, Outcome::failed, "it crashed before it was ready");
        task.stopped_again = true;
        finish(ctx, task, task.had_image ? Outcome::restored : Outcome::started,
               "it stopped again before it was ready");
    }
}

void BootRun::finish(Context& ctx, BootTask& task, Outcome outcome, std::string cause) {
    leave_stage(task);
    task.stage = Stage::over;
    task.probes.end(ctx);
    gates_.drop(ctx, task.id);
    conclude(ctx, record_.id, task, outcome, std::move(cause));
    agenda_.clear(task.id);
    --pending_;
    const bool failed =
        outcome == Outcome::failed || outcome == Outcome::gone || task.stopped_again;
    for (const auto& [id, hard] : task.dependents) {
        auto& next = tasks_.at(id);
        if (hard && failed && next.dead_need.empty())
            next.dead_need =
                task.name + (task.stopped_again ? ", which stopped again" : ", which failed");
        if (next.missing == 0 || --next.missing > 0 || next.stage != Stage::waiting)
            continue;
        enter_phase(ctx, record_.id, next, "waiting", task.name + " to be ready");
        make_ready(ctx, next);
    }
}

/// `ready`: it leaves as one that the host has coped with.
void BootRun::leave_stage(BootTask& task, bool ready) {
    auto& uri = uri_of(task);
    uri.ready.erase(key(task));
    if (task.stage == Stage::starting || task.stage == Stage::settling)
        uri.throttle.left(task.memory, ready);
}

}  // namespace guestd::core
