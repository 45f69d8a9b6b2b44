// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/drain_run.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {
namespace {

/// How long the first touch waits for the resume list to become durable. A healthy disk needs
/// milliseconds; one that needs longer may never answer, and the guests must still go down.
constexpr Duration kIntentTime = 5s;

int tier_rank(Tier tier) {
    switch (tier) {
        case Tier::expendable:
            return 0;
        case Tier::normal:
            return 1;
        case Tier::critical:
            return 2;
    }
    return 1;
}

bool host_goes_down(Trigger trigger) {
    switch (trigger) {
        case Trigger::reboot:
        case Trigger::poweroff:
        case Trigger::halt:
        case Trigger::kexec:
        case Trigger::soft_reboot:
        case Trigger::ups:
        case Trigger::session_end:
            return true;
        case Trigger::maintenance:
        case Trigger::manual:
        case Trigger::host_boot:
            return false;
    }
    return true;
}

}  // namespace

DrainRun::DrainRun(RunRecord record, std::optional<Duration> deadline)
    : record_(std::move(record)), deadline_override_(deadline) {}

DrainRun::DrainRun(RunRecord record, std::vector<RunGuestRecord> recorded)
    : record_(std::move(record)), recorded_(std::move(recorded)) {}

void DrainRun::set_up_uris(Context& ctx) {
    const auto connect_time = ctx.policy.daemon().connect_timeout;
    auto latest = record_.started;
    for (const auto& state : ctx.fleet.uris()) {
        Uri uri;
        uri.policy = ctx.policy.uri(state.uri, record_.trigger);
        uri.deadline = record_.started + deadline_override_.value_or(uri.policy.deadline);
        if (!recorded_.empty())
            uri.deadline = std::min(uri.deadline, record_.deadline);
        // A URI that has answered before may have guests: it gets all the time there is. One that
        // never has is most likely not in use.
        uri.give_up = state.ever_listed || !recorded_.empty()
                          ? uri.deadline
                          : std::min(uri.deadline, ctx.now + connect_time);
        uri.seeded = state.listed;
        latest = std::max(latest, uri.deadline);
        uris_.push_back(std::move(uri));
    }
    record_.deadline = latest;
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
    intent_ = intent.id;
    intent_deadline_ = ctx.now + kIntentTime;
    const auto count = intent.guests.size();
    ctx.out.emplace_back(std::move(intent));
    ctx.out.emplace_back(Notice{.kind = NoticeKind::run_started,
                                .run = record_.id,
                                .what = "drain",
                                .text = std::string{to_string(record_.trigger)} + ", " +
                                        std::to_string(count) + " guests"});
}

bool DrainRun::wanted(const Context& ctx, const Guest& guest) const {
    return (is_active(guest.info.state) || ctx.calls.modifying(guest.id) == CallKind::start) &&
           selected(record_.selection, guest.info.name);
}

std::vector<GuestId> DrainRun::add_guests(Context& ctx, UriId uri) {
    std::vector<GuestId> ids;
    std::vector<OrderNode> nodes;
    for (const auto* guest : ctx.fleet.guests(uri)) {
        const auto known = tasks_.find(guest->id);
        if ((known != tasks_.end() && !known->second.over()) || !wanted(ctx, *guest))
            continue;
        auto policy = ctx.guest_policy(guest->id, guest->info, record_.trigger);
        admit(ctx, *guest, policy);
        ids.push_back(guest->id);
        nodes.push_back({guest->info.name, std::move(policy.after), std::move(policy.requires_)});
    }
    arrange(ctx, ids, nodes);
    return ids;
}

void DrainRun::admit(Context& ctx, const Guest& guest, const GuestPolicy& policy) {
    DrainTask task;
    task.id = guest.id;
    task.name = guest.info.name.empty() ? guest.id.uuid.str() : guest.info.name;
    task.since = ctx.now;
    task.policy = policy.stop;
    task.tier = policy.tier;
    task.memory = guest.info.memory;
    task.persistent = guest.info.persistent;
    task.awaits_start = !is_active(guest.info.state);
    task.ladder = effective_ladder(task.policy, guest.info);
    task.deadline = uri_of(task).deadline;
    ++pending_;
    tasks_.insert_or_assign(guest.id, std::move(task));
}

void DrainRun::arrange(Context& ctx, const std::vector<GuestId>& ids,
                       const std::vector<OrderNode>& nodes) {
    const auto order = build_order(nodes);
    for (const auto& cycle : order.cycles)
        remark(ctx, record_.id, nullptr, NoticeKind::remark,
               "order: the cycle " + cycle + " was cut", true);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto& task = tasks_.at(ids[i]);
        for (const auto& edge : order.needs[i])
            task.releases.push_back(ids[edge.to]);
        task.blockers = static_cast<unsigned>(order.needed_by[i].size());

        // The chain through this guest shares the time evenly: `height` guests before it, `depth`
        // behind. Waiting for a free place may take half of its share, or longer when its whole
        // ladder fits into what is left of the share.
        const auto share = (task.deadline - ctx.now) / (order.depth[i] + order.height[i] + 1);
        const auto slot_begin = ctx.now + share * order.height[i];
        const bool limited = uri_of(task).policy.parallel_shutdown > 0 || task.awaits_start;
        task.latest_start = slot_begin;
        if (limited)
            task.latest_start =
                std::max(slot_begin + share / 2, slot_begin + share - total_time(task.ladder));
        make_ready(task);
        rearm(task);
    }
}

void DrainRun::make_ready(DrainTask& task) {
    if (task.begun || task.over())
        return;
    task.held_for = task.awaits_start   ? "its start to return"
                    : task.blockers > 0 ? "guests that depend on it"
                                        : "a free place (parallel_shutdown)";
    if (!task.awaits_start && task.blockers == 0)
        uri_of(task).ready.emplace(tier_rank(task.tier), ~task.memory.count, task.id);
}

ResumeEntry DrainRun::entry_for(const Context& ctx, const DrainTask& task) const {
    const auto* guest = ctx.fleet.find(task.id);
    ResumeEntry entry{.uri = ctx.uri_text(task.id.uri), .uuid = task.id.uuid, .name = task.name};
    entry.was_paused = guest != nullptr && guest->info.state == GuestState::paused;
    entry.transient = !task.persistent;
    entry.run = record_.id;
    return entry;
}

void DrainRun::write_late_intent(Context& ctx, const std::vector<GuestId>& ids) {
    StoreEntries late{.id = 0};
    for (const auto& id : ids) {
        const auto& task = tasks_.at(id);
        late.entries.push_back(entry_for(ctx, task));
        ctx.resume.remember(late.entries.back());
        ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, task)});
    }
    if (!late.entries.empty())
        ctx.out.emplace_back(std::move(late));
}

void DrainRun::add_late(Context& ctx, UriId uri) {
    write_late_intent(ctx, add_guests(ctx, uri));
}

void DrainRun::account_for_recorded(Context& ctx, UriId uri) {
    for (const auto& record : recorded_) {
        const GuestId id{uri, record.uuid};
        if (record.uri != ctx.uri_text(uri) || record.outcome != Outcome::pending ||
            tasks_.contains(id) || is_active(ctx.fleet.state(id)))
            continue;
        const auto* guest = ctx.fleet.find(id);
        const bool saved = guest != nullptr && guest->info.managed_save;
        DrainTask task;
        task.id = id;
        task.name = record.name;
        task.started = record.started;
        ++pending_;
        auto& placed = tasks_.insert_or_assign(id, std::move(task)).first->second;
        finish(ctx, placed, saved ? Outcome::saved : Outcome::shut_down,
               "it stopped while guestd was away");
    }
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
    if (known && is_stop(event.what))
        return on_gone(ctx, found->second);
    if (!is_start(event.what))
        return;
    if (!known)
        return add_late(ctx, event.guest.uri);
    if (found->second.awaits_start) {
        found->second.awaits_start = false;
        make_ready(found->second);
        rearm(found->second);
    }
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
    if (task.awaits_start) {
        task.awaits_start = false;
        if (!is_active(ctx.fleet.state(task.id)))
            return finish(ctx, task, Outcome::skipped, "it was being started and did not come up");
        make_ready(task);
        return rearm(task);
    }
    on_returned(ctx, task, event);
}

void DrainRun::handle(Context& ctx, const Event& event) {
    if (const auto* stored = std::get_if<Stored>(&event)) {
        if (stored->id == intent_ && phase_ == Phase::intent)
            start_acting(ctx, stored->durable, stored->message);
    } else if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        on_listed(ctx, listed->uri);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        on_changed(ctx, *changed);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        on_returned_to(ctx, *returned);
    } else if (const auto* progress = std::get_if<SaveProgressed>(&event)) {
        if (const auto found = tasks_.find(progress->guest); found != tasks_.end()) {
            found->second.done = progress->done;
            found->second.total = progress->total;
        }
    }
}

void DrainRun::start_acting(Context& ctx, bool durable, const std::string& why) {
    phase_ = Phase::acting;
    intent_deadline_ = kNever;
    if (!durable) {
        record_.clean = false;
        remark(ctx, record_.id, nullptr, NoticeKind::intent_not_stored,
               "the resume list could not be saved (" + why +
                   "): guests are stopped all the same, but may not come back by themselves",
               true);
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
        remark(ctx, record_.id, nullptr, NoticeKind::uri_unreachable,
               state.uri + " could not be asked for its guests: " + state.reason, true);
    }
}

void DrainRun::advance(Context& ctx) {
    if (over())
        return;
    if (phase_ == Phase::intent && ctx.now >= intent_deadline_)
        start_acting(ctx, false, "the disk did not answer in time");
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
    if (!state.listed)
        return;
    auto& uri = uris_[static_cast<std::size_t>(id)];
    const auto limit = uri.policy.parallel_shutdown;
    while (!uri.ready.empty() && (limit == 0 || uri.shutting < limit))
        begin_ladder(ctx, tasks_.at(std::get<GuestId>(*uri.ready.begin())));
    const auto saves = uri.policy.parallel_save;
    while (!uri.save_queue.empty() && (saves == 0 || uri.saving < saves) &&
           ctx.calls.long_calls(id) < state.long_calls)
        submit_save(ctx, tasks_.at(uri.save_queue.begin()->second));
}

void DrainRun::finish_if_done(Context& ctx) {
    const auto open = [](const Uri& uri) { return !uri.seeded && !uri.given_up; };
    if (pending_ > 0 || std::ranges::any_of(uris_, open))
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

void DrainRun::cancel(Context& ctx) {
    for (auto& [id, task] : tasks_) {
        if (task.over())
            continue;
        if (task.call != 0 && task.begun && task.current().kind == RungKind::save)
            ctx.calls.submit(ctx.out, Call{.guest = id, .kind = CallKind::abort_job}, ctx.now);
        finish(ctx, task, Outcome::skipped, "the run was cancelled");
    }
    conclude_run(ctx, record_, RunState::cancelled, "cancelled");
}

void DrainRun::finish(Context& ctx, DrainTask& task, Outcome outcome, std::string cause) {
    leave_queues(task);
    conclude(ctx, record_.id, task, outcome, std::move(cause));
    agenda_.clear(task.id);
    --pending_;
    const auto& uri = ctx.uri_text(task.id.uri);
    if (outcome == Outcome::saved) {
        auto entry = entry_for(ctx, task);
        if (const auto* listed = ctx.resume.find(uri, task.id.uuid))
            entry = *listed;
        entry.expect_restore = true;
        ctx.resume.put(ctx.out, entry);
    }
    // Left alone while the host stays up: it never went down, so there is nothing to bring back.
    if (!host_goes_down(record_.trigger) &&
        (outcome == Outcome::left_running || outcome == Outcome::skipped))
        ctx.resume.drop(ctx.out, uri, task.id.uuid);
    for (const auto& id : task.releases) {
        auto& next = tasks_.at(id);
        if (next.blockers > 0 && --next.blockers == 0)
            make_ready(next);
    }
}

void DrainRun::leave_queues(DrainTask& task) {
    auto& uri = uri_of(task);
    uri.ready.erase({tier_rank(task.tier), ~task.memory.count, task.id});
    uri.save_queue.erase({~task.memory.count, task.id});
    if (!task.begun)
        return;
    if (task.ladder.front().kind != RungKind::save)
        --uri.shutting;
    if (task.rung < task.ladder.size() && task.current().kind == RungKind::save && task.call != 0)
        --uri.saving;
}

TimePoint DrainRun::next_deadline() const {
    if (phase_ == Phase::intent)
        return intent_deadline_;
    auto next = agenda_.next();
    for (const auto& uri : uris_)
        if (!uri.seeded && !uri.given_up)
            next = std::min(next, uri.give_up);
    return next;
}

RunProgress DrainRun::progress() const {
    return RunProgress{.run = record_,
                       .total = tasks_.size(),
                       .finished = tasks_.size() - pending_,
                       .waiting_for = silent_};
}

std::vector<GuestProgress> DrainRun::guests() const {
    std::vector<GuestProgress> guests;
    for (const auto& [id, task] : tasks_)
        guests.push_back(progress_of(task));
    return guests;
}

}  // namespace guestd::core
