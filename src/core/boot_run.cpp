// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The run as a whole: its URIs, its events, its throttle, its end.
#include "core/boot_run.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {
namespace {

/// While a call of an earlier run is still under way on a guest.
constexpr Duration kOtherCallRetry = 1s;

}  // namespace

BootRun::BootRun(RunRecord record, std::vector<GuestId> only)
    : record_(std::move(record)), only_(only.begin(), only.end()) {}

BootRun::BootRun(RunRecord record, std::vector<RunGuestRecord> recorded)
    : record_(std::move(record)), continued_(true) {
    for (const auto& row : recorded) {
        recorded_[{row.uri, row.uuid}] = row;
        recorded_uris_.insert(row.uri);
    }
}

void BootRun::begin(Context& ctx) {
    uris_.resize(ctx.fleet.uris().size());
    if (!continued_)
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
        if (!is_active(ctx.fleet.state(task.id)))
            seen_down(ctx, task);
        else if (task.stage == Stage::waiting || task.stage == Stage::resting)
            came_up(ctx, task);
    }
}

void BootRun::on_changed(Context& ctx, const GuestChanged& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end() || found->second.over())
        return;
    auto& task = found->second;
    switch (task.stage) {
        case Stage::waiting:
        case Stage::resting:
            if (is_start(event.what))  // somebody else may have been quicker
                look(ctx, task);
            return;
        case Stage::settling:
            if (is_start(event.what))
                check_ready(ctx, task);
            else if (is_stop(event.what))
                look(ctx, task);
            return;
        case Stage::watched:
            if (is_stop(event.what))
                look(ctx, task);
            return;
        case Stage::starting:  // its call tells
        case Stage::overdue:
        case Stage::over:
            return;
    }
}

void BootRun::on_returned(Context& ctx, const CallReturned& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end() || found->second.over())
        return;
    auto& task = found->second;
    const bool own = event.id == task.call;
    if (own)
        task.call = 0;
    if (event.id == task.look)
        task.look = 0;
    const bool active = event.observed && is_active(event.observed->state);
    if (own) {
        if (active || (event.status == CallStatus::done && !event.observed))
            return came_up(ctx, task);
        return start_failed(ctx, task, event);
    }
    // Whoever asked: what was read is true.
    if (active && (task.stage == Stage::waiting || task.stage == Stage::resting))
        return came_up(ctx, task);
    if (event.observed && !active)
        seen_down(ctx, task);
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
    uri.wake_up = kNever;
    if (!state.listed)
        return;
    const auto limit = uri.policy.max_parallel;
    while (!uri.ready.empty() && (limit == 0 || uri.active < limit) &&
           ctx.calls.long_calls(id) < state.long_calls) {
        if (ctx.now < uri.next_start) {
            uri.wake_up = uri.next_start;
            return;
        }
        auto& task = tasks_.at(std::get<GuestId>(*uri.ready.begin()));
        if (ctx.calls.modifying(task.id)) {  // of a run before this one; its return comes
            rest(ctx, task, kOtherCallRetry, "another call to return");
            continue;
        }
        start(ctx, task);
        uri.next_start = ctx.now + uri.policy.start_delay;
    }
}

void BootRun::advance(Context& ctx) {
    if (over())
        return;
    for (const auto& id : agenda_.take_due(ctx.now)) {
        auto& task = tasks_.at(id);
        if (task.stage == Stage::starting || task.stage == Stage::overdue)
            start_overdue(ctx, task);
        else if (task.stage == Stage::settling)
            check_ready(ctx, task);
        else if (task.stage == Stage::resting)
            make_ready(ctx, task);
        else if (task.stage == Stage::watched)
            watch(ctx, task);
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
    conclude_finished(ctx, record_, outcomes_of(tasks_));
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

void BootRun::go_on(Context& ctx) {
    for (std::size_t i = 0; i < uris_.size(); ++i)
        if (ctx.fleet.uris()[i].listed && !uris_[i].seeded)
            seed(ctx, static_cast<UriId>(i));
}

bool BootRun::minds(const GuestId& id) const {
    const auto found = tasks_.find(id);
    return found != tasks_.end() && !found->second.over();
}

TimePoint BootRun::next_deadline() const {
    auto next = agenda_.next();
    for (const auto& uri : uris_)
        next = std::min(next, uri.wake_up);
    return next;
}

RunProgress BootRun::progress() const {
    return RunProgress{.run = record_,
                       .total = tasks_.size(),
                       .finished = tasks_.size() - pending_,
                       .waiting_for = silent_};
}

std::vector<GuestProgress> BootRun::guests() const {
    return progress_of_all(tasks_);
}

}  // namespace guestd::core
