// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/boot_run.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {
namespace {

/// The start event and the start call's reply come on different connections: how long the reply
/// waits for the event that tells a restore from a cold boot.
constexpr Duration kStartEventTime = 2s;
/// After a start whose result is unknown though libvirt answers.
constexpr Duration kUnknownRetry = 1s;

/// Exponential, capped, and spread by up to a fifth so that guests that failed together do not come
/// back together. The spread is a function of guest and attempt: the core has no dice.
Duration backoff(const Retry& retry, unsigned attempt, const Uuid& uuid) {
    const unsigned doublings = std::min(attempt > 0 ? attempt - 1 : 0, 20U);
    const auto grown = std::min(retry.max_backoff, Duration{retry.backoff * (1L << doublings)});
    const auto dice = (std::hash<Uuid>{}(uuid) + attempt * 7919U) % 1000;
    return grown + grown * static_cast<long>(dice) / 5000;
}

std::string seconds(Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + "s";
}

}  // namespace

BootRun::BootRun(RunRecord record, std::vector<GuestId> only)
    : record_(std::move(record)), only_(only.begin(), only.end()) {}

BootRun::BootRun(RunRecord record, std::vector<RunGuestRecord> recorded)
    : record_(std::move(record)) {
    for (const auto& row : recorded) {
        recorded_[{row.uri, row.uuid}] = row.outcome;
        recorded_uris_.insert(row.uri);
    }
}

void BootRun::begin(Context& ctx) {
    uris_.resize(ctx.fleet.uris().size());
    if (recorded_uris_.empty())
        ctx.out.emplace_back(StoreRun{.id = ctx.next_store(), .run = record_});
    ctx.out.emplace_back(Notice{.kind = NoticeKind::run_started,
                                .run = record_.id,
                                .what = "boot",
                                .text = std::string{to_string(record_.trigger)}});
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (ctx.fleet.uris()[i].listed)
            seed(ctx, static_cast<UriId>(i));
}

void BootRun::handle(Context& ctx, const Event& event) {
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        on_listed(ctx, listed->uri);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        on_changed(ctx, *changed);
    } else if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        if (const auto found = tasks_.find(agent->guest); found != tasks_.end())
            check_ready(ctx, found->second);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        on_returned(ctx, *returned);
    }
}

void BootRun::on_listed(Context& ctx, UriId uri) {
    if (!uris_[static_cast<std::size_t>(uri)].seeded)
        return seed(ctx, uri);
    for (auto at = tasks_.lower_bound(GuestId{uri, {}}); at != tasks_.end() && at->first.uri == uri;
         ++at) {
        auto& task = at->second;
        if (task.over() || task.call != 0)
            continue;
        if (is_active(ctx.fleet.state(task.id)) && task.stage != Stage::settling)
            came_up(ctx, task);
        else if (task.stage == Stage::resting && task.next_try == kNever)
            rest(ctx, task, Duration::zero(), {});
    }
}

void BootRun::on_changed(Context& ctx, const GuestChanged& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end() || found->second.over())
        return;
    auto& task = found->second;
    if (is_start(event.what)) {
        if (task.stage == Stage::waiting || task.stage == Stage::resting)
            return came_up(ctx, task);  // somebody else was quicker
        if (task.stage == Stage::settling)
            return check_ready(ctx, task);
    }
    if (is_stop(event.what) && task.stage == Stage::settling) {
        if (event.what == Lifecycle::crashed)
            return finish(ctx, task, Outcome::failed, "it crashed before it was ready");
        return finish(ctx, task, Outcome::started, "it stopped again before it was ready");
    }
}

void BootRun::on_returned(Context& ctx, const CallReturned& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end() || found->second.over() || found->second.call != event.id)
        return;
    auto& task = found->second;
    task.call = 0;
    const bool active = event.observed && is_active(event.observed->state);
    if (active || (event.status == CallStatus::done && !event.observed))
        return came_up(ctx, task);
    start_failed(ctx, task, event);
}

void BootRun::start_failed(Context& ctx, BootTask& task, const CallReturned& event) {
    const auto& uri = ctx.uri_text(task.id.uri);
    if (event.status == CallStatus::unknown) {
        const bool listed = ctx.fleet.uri(task.id.uri).listed;
        rest(ctx, task, kUnknownRetry, "the result of its start is unknown");
        if (!listed) {
            task.next_try = kNever;  // the next listing tells
            agenda_.clear(task.id);
        }
        return;
    }
    if (const auto* entry = ctx.resume.find(uri, task.id.uuid); entry != nullptr) {
        auto failed = *entry;
        failed.last_error = event.message;
        ctx.resume.put(ctx.out, failed);
    }
    if (event.status == CallStatus::busy) {
        rest(ctx, task, task.policy.retry.max_backoff, "its disk lock is held elsewhere");
        return remark(ctx, record_.id, &task, NoticeKind::guest_held,
                      "held elsewhere: " + event.message, true);
    }
    if (task.attempts >= task.policy.retry.attempts)
        return finish(ctx, task, Outcome::failed, event.message);
    rest(ctx, task, backoff(task.policy.retry, task.attempts, task.id.uuid), "its next try");
    remark(ctx, record_.id, &task, NoticeKind::guest_retrying,
           "try " + std::to_string(task.attempts) + " of " +
               std::to_string(task.policy.retry.attempts) + ": " + event.message,
           true);
}

void BootRun::rest(Context& ctx, BootTask& task, Duration time, std::string held_for) {
    leave_stage(task);
    enter_phase(ctx, record_.id, task, "waiting", held_for);
    task.held_for = std::move(held_for);
    task.stage = Stage::resting;
    task.next_try = ctx.now + time;
    agenda_.set(task.id, task.next_try);
}

std::tuple<long, std::uint64_t, GuestId> BootRun::key(const BootTask& task) {
    return {-static_cast<long>(task.priority), ~(task.had_image ? task.memory.count : 0), task.id};
}

void BootRun::make_ready(Context& ctx, BootTask& task) {
    if (task.over())
        return;
    if (!task.dead_need.empty())
        return finish(ctx, task, Outcome::failed, "it requires " + task.dead_need);
    task.stage = Stage::waiting;
    if (task.missing > 0) {
        task.held_for = "guests that it starts after";
        return;
    }
    task.held_for = "a free place (max_parallel)";
    uri_of(task).ready.insert(key(task));
}

void BootRun::fill(Context& ctx, UriId id) {
    const auto& state = ctx.fleet.uri(id);
    auto& uri = uris_[static_cast<std::size_t>(id)];
    if (!state.listed)
        return;
    const auto limit = uri.policy.max_parallel;
    while (!uri.ready.empty() && ctx.now >= uri.next_start && (limit == 0 || uri.active < limit) &&
           ctx.calls.long_calls(id) < state.long_calls) {
        auto& task = tasks_.at(std::get<GuestId>(*uri.ready.begin()));
        if (ctx.calls.modifying(task.id)) {  // of a run before this one; its return comes
            rest(ctx, task, kUnknownRetry, "another call to return");
            continue;
        }
        start(ctx, task);
        uri.next_start = ctx.now + uri.policy.start_delay;
    }
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
}

/// Confirmed running: whatever comes, it is off the list.
void BootRun::came_up(Context& ctx, BootTask& task) {
    const bool ours = task.stage == Stage::starting;
    ctx.resume.drop(ctx.out, ctx.uri_text(task.id.uri), task.id.uuid);
    if (!ours && task.attempts == 0)
        return finish(ctx, task, Outcome::already_running, "started by somebody else");
    leave_stage(task);
    enter_phase(ctx, record_.id, task, "settling");
    task.stage = Stage::settling;
    ++uri_of(task).active;
    task.up_since = ctx.now;
    task.ready_by = ctx.now + task.policy.ready_timeout;
    task.phase_deadline = task.ready_by;
    check_ready(ctx, task);
}

void BootRun::check_ready(Context& ctx, BootTask& task) {
    if (task.stage != Stage::settling)
        return;
    const auto* guest = ctx.fleet.find(task.id);
    const bool told = guest != nullptr && guest->last && is_start(*guest->last);
    auto look_again = task.ready_by;
    bool ready = true;
    if (!told && ctx.now < task.up_since + kStartEventTime) {
        ready = false;
        look_again = std::min(look_again, task.up_since + kStartEventTime);
    }
    const bool paused = guest != nullptr && guest->info.state == GuestState::paused;
    for (const auto& probe : task.policy.ready) {
        if (paused && task.was_paused)
            break;  // as it was; it cannot do any more
        if (probe.kind == ProbeKind::delay && ctx.now < task.up_since + probe.span) {
            ready = false;
            look_again = std::min(look_again, task.up_since + probe.span);
        }
        if (probe.kind == ProbeKind::agent && guest != nullptr && guest->info.agent_channel &&
            !guest->info.agent_connected)
            ready = false;
    }
    if (!ready && ctx.now < task.ready_by)
        return agenda_.set(task.id, look_again);

    const bool cold = told && guest->last != Lifecycle::restored;
    std::string cause;
    if (!ready)
        cause = "not ready within " + seconds(task.policy.ready_timeout);
    if (task.had_image && cold)
        cause = "its saved image was not used: it booted cold";
    if (!task.had_image && task.expect_restore)
        cause = "it had been saved, but its image is gone: it booted cold";
    if (!ready && task.policy.on_ready_timeout == OnReadyTimeout::fail)
        return finish(ctx, task, Outcome::failed, "it runs, but was " + cause);
    finish(ctx, task, task.had_image && !cold ? Outcome::restored : Outcome::started, cause);
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

void BootRun::advance(Context& ctx) {
    if (over())
        return;
    for (const auto& id : agenda_.take_due(ctx.now)) {
        auto& task = tasks_.at(id);
        if (task.stage == Stage::settling)
            check_ready(ctx, task);
        else if (task.stage == Stage::resting)
            make_ready(ctx, task);
    }
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (uris_[i].seeded)
            fill(ctx, static_cast<UriId>(i));
    silent_.clear();
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (!uris_[i].seeded)
            silent_.push_back(ctx.fleet.uris()[i].uri + ": " + ctx.fleet.uris()[i].reason);
    finish_if_done(ctx);
}

void BootRun::finish_if_done(Context& ctx) {
    if (pending_ > 0 || !silent_.empty())
        return;
    std::map<Outcome, unsigned> counts;
    for (const auto& [id, task] : tasks_) {
        ++counts[task.outcome];
        record_.clean = record_.clean && is_clean(task.outcome);
    }
    std::string text;
    for (const auto& [outcome, count] : counts)
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
                std::string{to_string(outcome)};
    conclude_run(ctx, record_, RunState::finished, text.empty() ? "no guests" : text);
}

void BootRun::stop(Context& ctx, RunState state, const std::string& why) {
    for (auto& [id, task] : tasks_) {
        if (task.over())
            continue;
        const bool up = task.stage == Stage::settling;
        finish(ctx, task, up ? Outcome::started : Outcome::skipped, why);
    }
    conclude_run(ctx, record_, state, why);
}

TimePoint BootRun::next_deadline() const {
    auto next = agenda_.next();
    for (const auto& uri : uris_)
        if (!uri.ready.empty() && uri.policy.start_delay > Duration::zero())
            next = std::min(next, uri.next_start);
    return next;
}

RunProgress BootRun::progress() const {
    return RunProgress{.run = record_,
                       .total = tasks_.size(),
                       .finished = tasks_.size() - pending_,
                       .waiting_for = silent_};
}

std::vector<GuestProgress> BootRun::guests() const {
    std::vector<GuestProgress> guests;
    for (const auto& [id, task] : tasks_)
        guests.push_back(progress_of(task));
    return guests;
}

}  // namespace guestd::core
