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
/// Bytes of names in a status line; the rest is counted.
constexpr std::size_t kLongNames = 60;

}  // namespace

BootRun::BootRun(RunRecord record, std::vector<GuestId> only)
    : record_(std::move(record)), selection_(record_.selection), only_(only.begin(), only.end()) {}

BootRun::BootRun(RunRecord record, const std::vector<RunGuestRecord>& recorded)
    : record_(std::move(record)), selection_(record_.selection), continued_(true) {
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
            goes_by_flags() ? ask_for_flags(ctx, static_cast<UriId>(i))
                            : seed(ctx, static_cast<UriId>(i));
}

/// Nobody has named the guests.
bool BootRun::goes_by_flags() const {
    return only_.empty() && record_.selection.empty();
}

void BootRun::ask_for_flags(Context& ctx, UriId uri) {
    uris_[static_cast<std::size_t>(uri)].flags_by = ctx.now + kFlagsPatience;
    ctx.out.emplace_back(ListAutostart{uri});
}

/// They are here, or did not come in time. A URI that is gone brings them along when it is back.
void BootRun::end_wait_for_flags(Context& ctx, UriId uri) {
    uris_[static_cast<std::size_t>(uri)].flags_by = kNever;
    if (ctx.fleet.uri(uri).listed)
        seed(ctx, uri);
}

void BootRun::handle(Context& ctx, const Event& event) {
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        on_listed(ctx, listed->uri);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        on_changed(ctx, *changed);
    } else if (const auto* flags = std::get_if<AutostartListed>(&event)) {
        // One that nobody asked for may have been read before the run began.
        if (flags->answers && uris_[static_cast<std::size_t>(flags->uri)].flags_by != kNever)
            end_wait_for_flags(ctx, flags->uri);
    } else if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        if (const auto found = tasks_.find(agent->guest); found != tasks_.end())
            check_ready(ctx, found->second);
    } else if (const auto* watched = std::get_if<WatchChanged>(&event)) {
        for (const auto& id : gates_.apply(*watched))
            unhold(ctx, tasks_.at(id));
        if (auto* task = probing(ctx, watched->id)) {
            task->probes.apply(*watched);
            check_ready(ctx, *task);
        }
    } else if (const auto* io = std::get_if<IoMeasured>(&event)) {
        if (auto* task = probing(ctx, io->id)) {
            task->probes.apply(*io);
            check_ready(ctx, *task);
        }
    } else if (std::holds_alternative<PolicyReplaced>(event)) {
        for (auto& [id, task] : tasks_)
            redefined(ctx, task);
    } else if (const auto* host = std::get_if<HostMeasured>(&event)) {
        for (auto& uri : uris_)
            uri.throttle.measured(*host, ctx.now);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        on_returned(ctx, *returned);
    }
}

/// Whose readiness the watch is about.
BootTask* BootRun::probing(const Context& ctx, WatchId watch) {
    const auto guest = ctx.watches.guest(watch);
    const auto found = guest ? tasks_.find(*guest) : tasks_.end();
    return found != tasks_.end() && found->second.stage == Stage::settling ? &found->second
                                                                           : nullptr;
}

void BootRun::on_listed(Context& ctx, UriId uri) {
    if (!uris_[static_cast<std::size_t>(uri)].seeded)
        return seed(ctx, uri);
    for (auto at = tasks_.lower_bound(GuestId{uri, {}}); at != tasks_.end() && at->first.uri == uri;
         ++at) {
        auto& task = at->second;
        if (task.over() || task.call != 0)
            continue;
        if (!is_active(ctx.fleet.state(task.id))) {
            seen_down(ctx, task);
            look_again_at_unfit(ctx, task);
        } else if (not_started(task) && ctx.fleet.up(task.id))
            came_up(ctx, task);
    }
}

/// What was wrong with it may have been mended with libvirt itself.
void BootRun::look_again_at_unfit(Context& ctx, BootTask& task) {
    if (!task.unfit.empty() && task.stage == Stage::held)
        redefined(ctx, task);
}

void BootRun::on_changed(Context& ctx, const GuestChanged& event) {
    const auto found = tasks_.find(event.guest);
    const bool minded = found != tasks_.end() && !found->second.over();
    // Whatever it had locked is free. Not the end of a start that failed on a lock itself.
    if (is_stop(event.what) && !minded)
        retry_locked(ctx, event.guest.uri);
    if (!minded)
        return;
    auto& task = found->second;
    switch (task.stage) {
        case Stage::waiting:
        case Stage::held:
        case Stage::resting:
            if (event.what == Lifecycle::defined)
                redefined(ctx, task);
            else if (event.what == Lifecycle::undefined)
                return look(ctx, task);
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
    const bool up = event.observed && is_up(*event.observed);
    if (own && ctx.returned == CallKind::inspect_image)
        return image_seen(ctx, task, event);
    if (own) {
        if (up || (event.status == CallStatus::done && !event.observed))
            return came_up(ctx, task);
        return start_failed(ctx, task, event);
    }
    // Whoever asked: what was read is true.
    if (up && not_started(task))
        return came_up(ctx, task);
    if (event.observed && !is_active(event.observed->state))
        seen_down(ctx, task);
    if (task.stage == Stage::settling) {
        task.probes.apply(ctx, event);
        check_ready(ctx, task);
    }
}

bool BootRun::not_started(const BootTask& task) {
    return task.stage == Stage::waiting || task.stage == Stage::held ||
           task.stage == Stage::resting;
}

void BootRun::make_ready(Context& ctx, BootTask& task) {
    if (task.over())
        return;
    if (!task.dead_need.empty())
        return finish(ctx, task, Outcome::failed, "it requires " + task.dead_need);
    leave_stage(task);
    task.stage = Stage::waiting;
    task.locked = false;
    if (task.missing > 0) {
        task.held_for = "guests that it starts after";
        return;
    }
    if (!gates_.known(task.id)) {  // it is being looked at
        task.stage = Stage::held;
        task.held_for = gates_.closed(task.id);
        return agenda_.clear(task.id);
    }
    if (const auto closed = gates_.closed(task.id); !closed.empty())
        return hold(ctx, task, closed);
    if (!task.unfit.empty())
        return hold(ctx, task, "its definition to be mended: " + task.unfit);
    task.held_for = "a free place";
    uri_of(task).ready.insert(key(task));
}

void BootRun::fill(Context& ctx, UriId id) {
    const auto& state = ctx.fleet.uri(id);
    auto& uri = uris_[static_cast<std::size_t>(id)];
    uri.wake_up = kNever;
    uri.held.clear();
    uri.held_by_host = false;
    while (state.listed && !uri.ready.empty()) {
        if (ctx.calls.long_calls(id) >= state.long_calls) {
            uri.held = "libvirt: as many calls are under way as it serves at once";
            break;
        }
        uri.held = uri.throttle.hold(ctx.now);
        uri.held_by_host = uri.throttle.held_by_pressure();
        uri.wake_up = uri.throttle.wake_up();
        auto* task = uri.held.empty() ? next_that_fits(uri) : nullptr;
        if (task == nullptr)
            break;
        if (ctx.calls.modifying(task->id)) {  // of a run before this one; its return comes
            rest(ctx, *task, kOtherCallRetry, "another call to return");
            continue;
        }
        start(ctx, *task);
    }
    if (!uri.held.empty())
        uri.last_held = uri.held;
}

/// One that does not fit into the host's memory lets others pass only while nothing is on its way
/// up: what that will leave free may be enough.
BootTask* BootRun::next_that_fits(Uri& uri) {
    for (const auto& place : uri.ready) {
        auto& task = tasks_.at(std::get<GuestId>(place));
        const auto why = uri.throttle.hold_for_memory(task.memory);
        if (why.empty()) {
            uri.held.clear();
            uri.held_by_host = false;
            return &task;
        }
        if (uri.held.empty())
            uri.held = "the host's memory: " + task.name + " " + why;
        uri.held_by_host = true;
        if (uri.throttle.active() > 0)
            break;
    }
    return nullptr;
}

/// Whoever looks at the journal later wants to know why the boot took so long.
void BootRun::tell_held(Context& ctx, UriId id) {
    auto& uri = uris_[static_cast<std::size_t>(id)];
    if (uri.held_by_host && !uri.told_held)
        remark(ctx, record_.id, id, NoticeKind::starts_held,
               ctx.uri_text(id) + ": the next start waits for " + uri.held, false);
    uri.told_held = uri.held_by_host;
}

/// Only while somebody waits for a place: an idle run wakes nobody up.
void BootRun::measure_host(Context& ctx) {
    bool wanted = false;
    for (std::size_t i = 0; i < uris_.size(); ++i)
        wanted = wanted || (!over() && ctx.fleet.uris()[i].listed &&
                            uris_[i].throttle.wants_measure(!uris_[i].ready.empty()));
    if (wanted == measuring_)
        return;
    measuring_ = wanted;
    ctx.out.emplace_back(WatchHost{wanted});
    if (!wanted)
        for (auto& uri : uris_)
            uri.throttle.forget_measure();
}

void BootRun::advance(Context& ctx) {
    if (over())
        return;
    for (const auto& id : agenda_.take_due(ctx.now))
        look_after(ctx, tasks_.at(id));
    for (std::size_t i = 0; i < uris_.size(); ++i) {
        if (uris_[i].flags_by <= ctx.now)
            end_wait_for_flags(ctx, static_cast<UriId>(i));
        if (!uris_[i].seeded)
            continue;
        fill(ctx, static_cast<UriId>(i));
        tell_held(ctx, static_cast<UriId>(i));
    }
    silent_.clear();
    for (std::size_t i = 0; i < uris_.size(); ++i) {
        const auto& state = ctx.fleet.uris()[i];
        if (!uris_[i].seeded)
            silent_.push_back(state.uri + ": " +
                              (state.listed ? "reading its autostart flags" : state.reason));
    }
    finish_if_done(ctx);
    measure_host(ctx);
}

/// Its time has come.
void BootRun::look_after(Context& ctx, BootTask& task) {
    switch (task.stage) {
        case Stage::starting:
        case Stage::overdue:
            return start_overdue(ctx, task);
        case Stage::settling:
            return check_ready(ctx, task);
        case Stage::held:
        case Stage::resting:
            return make_ready(ctx, task);
        case Stage::watched:
            return watch(ctx, task);
        case Stage::waiting:
        case Stage::over:
            return;
    }
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
        const auto outcome = task.stage == Stage::settling ? Outcome::started
                             : task.locked                 ? Outcome::held_elsewhere
                                                           : Outcome::skipped;
        finish(ctx, task, outcome, why);
    }
    conclude_run(ctx, record_, state, why);
    measure_host(ctx);
}

std::map<GuestId, std::string> BootRun::unfinished(const Context& ctx) const {
    std::map<GuestId, std::string> guests;
    for (const auto& [id, task] : tasks_)
        if (!task.over() && !is_active(ctx.fleet.state(id)))
            guests.emplace(id, task.name);
    return guests;
}

bool BootRun::idle() const {
    const auto is_idle = [](const auto& entry) {
        const auto stage = entry.second.stage;
        return stage == Stage::over || stage == Stage::held || stage == Stage::waiting;
    };
    const auto nobody_ready = [](const Uri& uri) {
        return uri.flags_by == kNever &&
               (uri.ready.empty() || (uri.held_by_host && uri.throttle.active() == 0));
    };
    return std::ranges::all_of(uris_, nobody_ready) && std::ranges::all_of(tasks_, is_idle);
}

void BootRun::keep_up(const Event& event) {
    if (const auto* changed = std::get_if<WatchChanged>(&event))
        gates_.apply(*changed);
}

void BootRun::go_on(Context& ctx) {
    for (auto& [id, task] : tasks_) {
        if (!not_started(task))
            continue;
        task.look = 0;
        if (ctx.fleet.up(id))
            came_up(ctx, task);
        else if (ctx.fleet.state(id) == GuestState::absent)
            seen_down(ctx, task);
        else if (task.stage == Stage::held)
            redefined(ctx, task);
        else
            make_ready(ctx, task);
    }
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
        next = std::min({next, uri.wake_up, uri.flags_by});
    return next;
}

RunProgress BootRun::progress() const {
    return RunProgress{.run = record_,
                       .total = tasks_.size(),
                       .finished = tasks_.size() - pending_,
                       .waiting_for = silent_};
}

/// Those that it starts after and that are not ready: the first few of them.
std::string BootRun::names_of_missing(const BootTask& task) const {
    std::string text;
    unsigned more = 0;
    for (const auto& id : task.starts_after) {
        const auto& need = tasks_.at(id);
        if (need.over())
            continue;
        if (text.size() > kLongNames)
            ++more;
        else
            text += (text.empty() ? "" : ", ") + need.name;
    }
    return text + (more > 0 ? " and " + std::to_string(more) + " more" : "") + " to be ready";
}

std::vector<GuestProgress> BootRun::guests() const {
    std::vector<GuestProgress> guests;
    for (const auto& [id, task] : tasks_) {
        auto progress = progress_of(task);
        const auto& uri = uris_[static_cast<std::size_t>(id.uri)];
        if (task.stage == Stage::settling)
            progress.held_for = task.probes.waiting_for();
        else if (task.stage == Stage::waiting && task.missing > 0)
            progress.held_for = names_of_missing(task);
        else if (task.stage == Stage::waiting && !uri.held.empty())
            progress.held_for = uri.held;
        guests.push_back(std::move(progress));
    }
    return guests;
}

}  // namespace guestd::core
