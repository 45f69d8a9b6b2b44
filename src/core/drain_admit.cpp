// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who takes part in a drain, when each may begin, and the intent that is written first.
#include <algorithm>
#include <utility>

#include "core/drain_run.hpp"

namespace guestd::core {
namespace {

/// How much of its own time a guest may spend waiting for a free place, in quarters. Only when its
/// whole ladder does not fit.
int tier_patience(Tier tier) {
    switch (tier) {
        case Tier::expendable:
            return 3;
        case Tier::normal:
            return 2;
        case Tier::critical:
            return 1;
    }
    return 2;
}

/// libvirt's own daemons (of a session, and since 11.3 of the host) save guests by themselves when
/// logind says that the host goes down, which may be before we are told to stop: systemd stops
/// services one after another. What an administrator saved so shortly before comes back as well.
constexpr Duration kSavedWithTheHost = 10s;

}  // namespace

std::tuple<int, std::uint64_t, GuestId> DrainRun::ready_key(const DrainTask& task) {
    return {tier_rank(task.tier), ~task.memory.count, task.id};
}

bool DrainRun::wanted(const Context& ctx, const Guest& guest) const {
    return (is_active(guest.info.state) || ctx.calls.modifying(guest.id) == CallKind::start) &&
           selection_.has(guest.info.name);
}

std::vector<GuestId> DrainRun::add_guests(Context& ctx, UriId uri) {
    std::vector<GuestId> ids;
    std::vector<OrderNode> nodes;
    for (const auto* guest : ctx.fleet.guests(uri)) {
        // A guest takes part again only when it has been down meanwhile.
        const auto known = tasks_.find(guest->id);
        const bool again = known == tasks_.end() || known->second.gone;
        if (!again || !wanted(ctx, *guest))
            continue;
        auto policy = ctx.guest_policy(guest->id, guest->info, record_.trigger);
        admit(ctx, *guest, policy);
        ids.push_back(guest->id);
        nodes.push_back({guest->info.name, std::move(policy.after), std::move(policy.requires_),
                         tier_weight(policy.tier)});
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
    task.half_started = guest.info.starting;
    task.awaits_start = ctx.calls.modifying(guest.id) == CallKind::start;
    // A life of guestd that is over may have frozen it for its save.
    const auto* listed = ctx.resume.find(ctx.uri_text(guest.id.uri), guest.id.uuid);
    if (continued_ && task.policy.pause_before_save && listed != nullptr &&
        listed->run == record_.id && !listed->was_paused)
        ctx.fleet.paused_by_us(guest.id);
    auto info = guest.info;
    if (guest.paused_by_us || info.starting)
        info.state = GuestState::running;
    task.ladder = effective_ladder(task.policy, info);
    task.deadline = uri_of(task).deadline;
    const auto begun = begun_before_.find({ctx.uri_text(guest.id.uri), guest.id.uuid});
    if (begun != begun_before_.end())
        task.begun_before = begun->second;
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

        // The chain through this guest shares the time by tier: `height` before it, `depth` behind.
        // Waiting for a free place may take a part of its share, or longer when its whole ladder
        // fits into what is left of the share.
        const auto part =
            (task.deadline - ctx.now) / (order.depth[i] + order.height[i] + nodes[i].weight);
        const auto share = part * nodes[i].weight;
        const auto slot_begin = ctx.now + part * order.height[i];
        const bool limited = uri_of(task).policy.parallel_shutdown > 0 || task.awaits_start;
        task.latest_start = slot_begin;
        if (limited)
            task.latest_start = std::max(slot_begin + share * tier_patience(task.tier) / 4,
                                         slot_begin + share - total_time(task.ladder));
        // Leaving it alone needs neither its turn nor a place.
        if (task.ladder.front().kind == RungKind::leave)
            task.latest_start = ctx.now;
        make_ready(task);
        rearm(task);
    }
}

void DrainRun::make_ready(DrainTask& task) {
    if (task.begun || task.clearing || task.over())
        return;
    task.held_for = task.awaits_start                           ? "its start to return"
                    : task.intent != 0                          ? "its entry on the resume list"
                    : task.blockers > 0                         ? "guests that depend on it"
                    : uri_of(task).policy.parallel_shutdown > 0 ? "a free place (parallel_shutdown)"
                                                                : std::move(task.held_for);
    if (!task.awaits_start && task.intent == 0 && task.blockers == 0)
        uri_of(task).ready.insert(ready_key(task));
}

ResumeEntry DrainRun::entry_for(const Context& ctx, const DrainTask& task) const {
    const auto* guest = ctx.fleet.find(task.id);
    ResumeEntry entry{.uri = ctx.uri_text(task.id.uri), .uuid = task.id.uuid};
    const auto* listed = ctx.resume.find(entry.uri, entry.uuid);
    const bool paused = guest != nullptr && guest->info.state == GuestState::paused;
    // What an entry says of a guest that has not come up since, or is paused by its save, holds.
    const bool in_transit = guest == nullptr || !is_up(guest->info) ||
                            (paused && (guest->info.saving || guest->paused_by_us));
    if (listed != nullptr && (in_transit || listed->run == record_.id))
        entry = *listed;
    else
        entry.was_paused = paused && !in_transit;
    entry.name = task.name;
    entry.transient = !task.persistent;
    entry.run = record_.id;
    return entry;
}

/// Guests that somebody else saved because the host, or the session, goes down: there is nothing to
/// be done to them, but they were up, and come back.
std::vector<ResumeEntry> DrainRun::saved_ahead(Context& ctx) const {
    std::vector<ResumeEntry> entries;
    if (!host_goes_down(record_.trigger))
        return entries;
    for (std::size_t i = 0; i < uris_.size(); ++i)
        for (const auto* guest : ctx.fleet.guests(static_cast<UriId>(i))) {
            const auto& uri = ctx.uri_text(guest->id.uri);
            if (guest->info.state != GuestState::shutoff || !guest->info.managed_save ||
                guest->saved_at == kNever || ctx.now - guest->saved_at > kSavedWithTheHost ||
                ctx.resume.find(uri, guest->id.uuid) != nullptr)
                continue;
            entries.push_back({.uri = uri,
                               .uuid = guest->id.uuid,
                               .name = guest->info.name,
                               .expect_restore = true,
                               .run = record_.id});
            ctx.resume.remember(entries.back());
        }
    return entries;
}

/// Guests that turned up since the intent was written: theirs is written now, and waited for.
void DrainRun::add_late(Context& ctx, UriId uri) {
    StoreEntries late{.id = 0, .entries = {}};
    std::vector<GuestId> unlisted;
    for (const auto& id : add_guests(ctx, uri)) {
        const auto& task = tasks_.at(id);
        const auto entry = entry_for(ctx, task);
        const auto* listed = ctx.resume.find(entry.uri, entry.uuid);
        ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, task)});
        if (listed != nullptr && *listed == entry)
            continue;  // a continued run, or a guest that was started again
        late.entries.push_back(entry);
        ctx.resume.remember(entry);
        unlisted.push_back(id);
    }
    if (unlisted.empty())
        return;
    if (!store_silent_) {
        late.id = ctx.next_store();
        intents_.emplace(late.id, ctx.now + intent_time(ctx));
        for (const auto& id : unlisted) {
            auto& task = tasks_.at(id);
            task.intent = late.id;
            uri_of(task).ready.erase(ready_key(task));
            make_ready(task);
        }
    }
    ctx.out.emplace_back(std::move(late));
}

void DrainRun::settle_intent(Context& ctx, StoreId id, bool durable, const std::string& why) {
    if (intents_.erase(id) == 0)
        return;
    if (!durable) {
        record_.clean = false;
        list_lost_ = true;
        remark(ctx, record_.id, nullptr, NoticeKind::intent_not_stored,
               "the resume list could not be saved (" + why +
                   "): guests are stopped all the same, but may not come back by themselves",
               true);
    }
    for (auto& [guest, task] : tasks_)
        if (task.intent == id) {
            task.intent = 0;
            make_ready(task);
        }
    if (id == intent_)
        phase_ = Phase::acting;
}

DrainTask& DrainRun::add_recorded(const RunGuestRecord& record, const GuestId& id) {
    DrainTask task;
    task.id = id;
    task.name = record.name;
    task.started = record.started;
    ++pending_;
    return tasks_.insert_or_assign(id, std::move(task)).first->second;
}

/// Guests that an earlier life had not dealt with and that are down by now.
void DrainRun::account_for_recorded(Context& ctx, UriId uri) {
    for (const auto& record : recorded_) {
        const GuestId id{uri, record.uuid};
        if (record.uri != ctx.uri_text(uri) || record.outcome != Outcome::pending ||
            tasks_.contains(id) || is_active(ctx.fleet.state(id)))
            continue;
        const auto* guest = ctx.fleet.find(id);
        const bool saved = guest != nullptr && guest->info.managed_save;
        auto& task = add_recorded(record, id);
        task.gone = true;
        finish(ctx, task, saved ? Outcome::saved : Outcome::shut_down,
               "it stopped while guestd was away");
    }
}

void DrainRun::fail_recorded(Context& ctx, UriId uri) {
    for (const auto& record : recorded_) {
        const GuestId id{uri, record.uuid};
        if (record.uri == ctx.uri_text(uri) && record.outcome == Outcome::pending &&
            !tasks_.contains(id))
            finish(ctx, add_recorded(record, id), Outcome::failed,
                   "libvirt did not answer before the deadline");
    }
}

}  // namespace guestd::core
