// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The run as a whole: its phases, its URIs, its events, its end.
#include "core/drain_run.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {

DrainRun::DrainRun(RunRecord record, std::optional<Duration> deadline)
    : record_(std::move(record)), selection_(record_.selection), deadline_override_(deadline) {}

DrainRun::DrainRun(RunRecord record, std::vector<RunGuestRecord> recorded)
    : record_(std::move(record)),
      selection_(record_.selection),
      continued_(true),
      recorded_(std::move(recorded)) {
    for (const auto& row : recorded_)
        if (row.started && row.outcome == Outcome::pending)
            begun_before_.emplace(std::pair{row.uri, row.uuid}, *row.started);
}

void DrainRun::set_up_uris(Context& ctx) {
    const auto connect_time = ctx.policy.daemon().connect_timeout;
    auto latest = record_.started;
    for (const auto& state : ctx.fleet.uris()) {
        Uri uri;
        uri.policy = ctx.policy.uri(state.uri, record_.trigger);
        uri.deadline = record_.started + deadline_override_.value_or(uri.policy.deadline);
        uri.seeded = state.listed;
        uri.pace.know({ctx.learned.find(kLearnedDisk + state.uri),
                       ctx.learned.find(kLearnedStream + state.uri)});
        latest = std::max(latest, uri.deadline);
        uris_.push_back(std::move(uri));
    }
    // The record keeps the latest one only. Another than policy gives was asked for, for all. None
    // at all was damaged.
    if (continued_ && record_.deadline != kNever && record_.deadline != latest)
        for (auto& uri : uris_)
            uri.deadline = record_.deadline;
    else
        record_.deadline = latest;
    for (std::size_t i = 0; i < uris_.size(); ++i) {
        const auto& state = ctx.fleet.uris()[i];
        // A URI that has answered before may have guests: it gets all the time there is. One that
        // never has is most likely not in use.
        const auto& deadline = uris_[i].deadline;
        uris_[i].give_up = state.known ? deadline : std::min(deadline, ctx.now + connect_time);
    }
}

void DrainRun::begin(Context& ctx) {
    set_up_uris(ctx);
    StoreRun intent{.id = ctx.next_store(), .run = record_};
    for (std::size_t i = 0; i < uris_.size(); ++i)
        for (const auto& id : add_guests(ctx, static_cast<UriId>(i))) {
            const auto& task = tasks_.at(id);
            intent.guests.push_back(record_of(ctx, record_.id, task));
            intent.entries.push_back(entry_for(ctx, task));
            ctx.resume.remember(intent.entries.back());
        }
    const auto count = continued_ ? recorded_.size() : intent.guests.size();
    ctx.out.emplace_back(Notice{.kind = NoticeKind::run_started,
                                .run = record_.id,
                                .what = "drain",
                                .text = std::string{to_string(record_.trigger)} + ", " +
                                        std::to_string(count) + " guests"});
    // The intent of a continued run is in the store it was read from.
    if (continued_) {
        phase_ = Phase::acting;
        return;
    }
    for (auto& entry : saved_ahead(ctx))
        intent.entries.push_back(std::move(entry));
    intent_ = intent.id;
    intents_.emplace(intent_, ctx.now + intent_time(ctx));
    ctx.out.emplace_back(std::move(intent));
}

/// A quarter of what there is at most, when that is little: the guests need the rest.
Duration DrainRun::intent_time(const Context& ctx) const {
    auto soonest = record_.deadline;
    for (const auto& uri : uris_)
        soonest = std::min(soonest, uri.deadline);
    return std::min(Duration{kIntentTime}, std::max(soonest - ctx.now, Duration::zero()) / 4);
}

void DrainRun::on_listed(Context& ctx, UriId uri) {
    auto& state = uris_[static_cast<std::size_t>(uri)];
    state.seeded = true;
    state.given_up = false;
    account_for_recorded(ctx, uri);
    for (auto at = tasks_.lower_bound(GuestId{uri, {}}); at != tasks_.end() && at->first.uri == uri;
         ++at)
        if (!at->second.over())
            judge_again(ctx, at->second);
    add_late(ctx, uri);
}

void DrainRun::on_changed(Context& ctx, const GuestChanged& event) {
    const auto found = tasks_.find(event.guest);
    const bool known = found != tasks_.end() && !found->second.over();
    if (is_start(event.what) && !known)
        return add_late(ctx, event.guest.uri);
    // The start that a task waits for counts when its call returns: libvirt tells of a restore
    // before it has succeeded.
    if (is_start(event.what) && known)
        found->second.half_started = false;
    if (is_stop(event.what) && known && !found->second.awaits_start)
        on_stop_told(ctx, found->second);
}

void DrainRun::on_returned_to(Context& ctx, const CallReturned& event) {
    const auto found = tasks_.find(event.guest);
    if (found == tasks_.end())
        return;
    auto& task = found->second;
    if (task.over()) {
        if (event.bytes.count > 0 && task.outcome == Outcome::saved) {
            task.done = event.bytes;
            ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, task, task.since)});
        }
        return;
    }
    if (task.awaits_start)
        return on_start_returned(ctx, task, event);
    on_returned(ctx, task, event);
}

void DrainRun::never_came_up(Context& ctx, DrainTask& task) {
    task.gone = true;
    finish(ctx, task, Outcome::skipped, "it was being started and did not come up");
}

void DrainRun::on_start_returned(Context& ctx, DrainTask& task, const CallReturned& event) {
    if (event.id == task.look)
        task.look = 0;
    if (ctx.calls.modifying(task.id))
        return;
    if (!event.observed) {
        look(ctx, task);
        return rearm(task);
    }
    task.awaits_start = false;
    task.half_started = event.observed->starting;
    if (!is_active(event.observed->state))
        return never_came_up(ctx, task);
    make_ready(task);
    rearm(task);
}

void DrainRun::handle(Context& ctx, const Event& event) {
    if (const auto* stored = std::get_if<Stored>(&event)) {
        settle_intent(ctx, stored->id, stored->durable, stored->message);
    } else if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        on_listed(ctx, listed->uri);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        on_changed(ctx, *changed);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        on_returned_to(ctx, *returned);
    } else if (const auto* progress = std::get_if<SaveProgressed>(&event)) {
        on_progressed(ctx, *progress);
    } else if (const auto* written = std::get_if<SaveWritten>(&event)) {
        uris_[static_cast<std::size_t>(written->guest.uri)].window.ended(written->guest);
    } else if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        if (const auto found = tasks_.find(agent->guest);
            found != tasks_.end() && !agent->connected && found->second.attempts > 0 &&
            found->second.on(RungKind::shutdown))
            found->second.answer = "its agent has left: it goes down";
    }
}

void DrainRun::give_up_silent_uris(Context& ctx) {
    silent_.clear();
    for (std::size_t i = 0; i < uris_.size(); ++i) {
        auto& uri = uris_[i];
        if (uri.seeded || uri.given_up)
            continue;
        const auto& state = ctx.fleet.uris()[i];
        if (ctx.now < uri.give_up) {
            silent_.push_back(state.uri + ": " + state.reason);
            continue;
        }
        uri.given_up = true;
        record_.clean = false;
        fail_recorded(ctx, static_cast<UriId>(i));
        remark(ctx, record_.id, static_cast<UriId>(i), NoticeKind::uri_unreachable,
               state.uri + " could not be asked for its guests: " + state.reason, true);
    }
}

void DrainRun::advance(Context& ctx) {
    if (over())
        return;
    for (auto at = intents_.begin(); at != intents_.end();) {
        const auto [id, until] = *at++;
        if (ctx.now >= until) {
            store_silent_ = true;
            settle_intent(ctx, id, false, "the disk did not answer in time");
        }
    }
    if (phase_ == Phase::intent)
        return;
    for (const auto& id : agenda_.take_due(ctx.now)) {
        auto& task = tasks_.at(id);
        if (!task.over())
            on_time(ctx, task);
    }
    for (std::size_t i = 0; i < uris_.size(); ++i)
        fill(ctx, static_cast<UriId>(i));
    give_up_silent_uris(ctx);
    finish_if_done(ctx);
}

void DrainRun::fill(Context& ctx, UriId id) {
    const auto& state = ctx.fleet.uri(id);
    auto& uri = uris_[static_cast<std::size_t>(id)];
    uri.window.expire(ctx.now);
    if (!state.listed)
        return;
    const auto limit = uri.policy.parallel_shutdown;
    while (!uri.ready.empty() && (limit == 0 || uri.shutting < limit))
        begin_ladder(ctx, tasks_.at(std::get<GuestId>(*uri.ready.begin())));
    fill_saves(ctx, id);
}

void DrainRun::finish_if_done(Context& ctx) {
    const auto open = [](const Uri& uri) { return !uri.seeded && !uri.given_up; };
    if (pending_ > 0 || std::ranges::any_of(uris_, open))
        return;
    learn(ctx);
    conclude_finished(ctx, record_, outcomes_of(tasks_));
}

void DrainRun::cancel(Context& ctx) {
    cancelled_ = true;
    for (auto& [id, task] : tasks_) {
        if (task.over())
            continue;
        if (task.counts_as_saving || (task.on(RungKind::migrate) && task.call != 0))
            ctx.calls.submit(ctx.out, Call{.guest = id, .kind = CallKind::abort_job}, ctx.now);
        finish(ctx, task, Outcome::skipped, "the run was cancelled");
    }
    for (auto row : recorded_) {
        const auto uri = ctx.fleet.uri_id(row.uri);
        if (row.outcome != Outcome::pending || (uri && tasks_.contains({*uri, row.uuid})))
            continue;
        row.outcome = Outcome::skipped;
        row.cause = "the run was cancelled";
        row.ended = ctx.now;
        ctx.out.emplace_back(StoreGuest{std::move(row)});
    }
    conclude_run(ctx, record_, RunState::cancelled, "cancelled");
}

void DrainRun::hand_over(Context& ctx) {
    for (auto& [id, task] : tasks_) {
        if (task.over())
            continue;
        leave_queues(ctx, task);
        conclude(ctx, record_.id, task, Outcome::skipped, "another drain run takes over");
    }
    conclude_run(ctx, record_, RunState::superseded, "another drain run takes over");
}

std::map<GuestId, std::string> DrainRun::touched(const Context& ctx) const {
    std::map<GuestId, std::string> guests;
    // An earlier life may have asked any guest that it left without an outcome.
    for (const auto& row : recorded_)
        if (const auto uri = ctx.fleet.uri_id(row.uri);
            uri && row.outcome != Outcome::left_running && row.outcome != Outcome::skipped)
            guests.emplace(GuestId{*uri, row.uuid}, row.name);
    for (const auto& [id, task] : tasks_)
        if (task.begun && (task.gone || !task.over() || task.outcome == Outcome::failed ||
                           (task.outcome == Outcome::left_running && task.rung > 0)))
            guests.emplace(id, task.name);
    return guests;
}

void DrainRun::finish(Context& ctx, DrainTask& task, Outcome outcome, std::string cause) {
    const bool saving = task.counts_as_saving;
    leave_queues(ctx, task, outcome == Outcome::saved);
    // Frozen for a save that was not made: not for ever. A save that is aborted resumes it itself.
    const auto* guest = ctx.fleet.find(task.id);
    if (guest != nullptr && guest->paused_by_us && !saving && is_active(guest->info.state))
        ctx.calls.submit(ctx.out, Call{.guest = task.id, .kind = CallKind::resume}, ctx.now);
    conclude(ctx, record_.id, task, outcome, std::move(cause));
    agenda_.clear(task.id);
    --pending_;
    const auto& uri = ctx.uri_text(task.id.uri);
    if (outcome == Outcome::migrated)
        ctx.resume.drop(ctx.out, uri, task.id.uuid);  // it runs, elsewhere
    if (outcome == Outcome::saved) {
        auto entry = entry_for(ctx, task);
        if (const auto* listed = ctx.resume.find(uri, task.id.uuid))
            entry = *listed;
        entry.expect_restore = true;
        entry.disk_identity = task.image_identity;
        ctx.resume.put(ctx.out, entry);
    }
    // Left alone while the host stays up: it never went down, so there is nothing to bring back.
    // One that was asked may still go down.
    const bool untouched = (outcome == Outcome::left_running && task.rung == 0) ||
                           (outcome == Outcome::skipped && !task.begun);
    const bool stays = guest != nullptr && is_up(guest->info) && !guest->info.saving &&
                       !ctx.calls.modifying(task.id) && !task.begun_before;
    if ((cancelled_ || !host_goes_down(record_.trigger)) && untouched && stays)
        ctx.resume.drop(ctx.out, uri, task.id.uuid);
    for (const auto& id : task.releases) {
        auto& next = tasks_.at(id);
        if (next.blockers == 0 || --next.blockers > 0)
            continue;
        if (next.phase == "waiting" && !next.over())
            enter_phase(ctx, record_.id, next, "waiting", task.name + " to be off");
        make_ready(next);
    }
}

void DrainRun::leave_queues(Context& ctx, DrainTask& task, bool saved) {
    auto& uri = uri_of(task);
    uri.ready.erase(ready_key(task));
    queue_to_save(task, false);
    count_as_looking(task, false);
    if (std::exchange(task.counts_as_shutting, false))
        --uri.shutting;
    count_as_saving(ctx, task, false, saved);
}

TimePoint DrainRun::next_deadline() const {
    auto next = phase_ == Phase::intent ? kNever : agenda_.next();
    for (const auto& [id, until] : intents_)
        next = std::min(next, until);
    if (phase_ == Phase::intent)
        return next;
    for (const auto& uri : uris_) {
        if (!uri.seeded && !uri.given_up)
            next = std::min(next, uri.give_up);
        if (!uri.save_queue.empty() && uri.window.full())
            next = std::min(next, uri.window.next());
    }
    return next;
}

RunProgress DrainRun::progress() const {
    return RunProgress{.run = record_,
                       .total = tasks_.size(),
                       .finished = tasks_.size() - pending_,
                       .waiting_for = silent_};
}

std::vector<GuestProgress> DrainRun::guests() const {
    return progress_of_all(tasks_);
}

}  // namespace guestd::core
