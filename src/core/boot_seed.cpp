// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who starts: resume list, autostart, "always"; minus "never". Each once, whatever reasons it has.
// A continued run starts what it had recorded and not yet brought up, and what is on the list.
#include <algorithm>
#include <utility>

#include "core/boot_run.hpp"
#include "core/local_uri.hpp"

namespace guestd::core {
namespace {

/// Recorded with an outcome and no end: it had come up, and was not known to be ready.
bool was_up(const RunGuestRecord& row) {
    return row.outcome != Outcome::pending && !row.ended;
}
bool is_open(const RunGuestRecord& row) {
    return row.outcome == Outcome::pending || was_up(row);
}

}  // namespace

void BootRun::seed(Context& ctx, UriId id) {
    auto& uri = uris_[static_cast<std::size_t>(id)];
    uri.seeded = true;
    uri.flags_by = kNever;
    const auto& text = ctx.uri_text(id);
    uri.throttle = Throttle{ctx.policy.uri(text, std::nullopt), is_local(text), ctx.now};

    std::vector<GuestId> ids;
    std::vector<OrderNode> nodes;
    for (const auto* guest : ctx.fleet.guests(id))
        if (guest->info.state != GuestState::absent)
            consider(ctx, *guest, ids, nodes);
    for (const auto& entry : ctx.resume.of_uri(ctx.uri_text(id)))
        if (ctx.fleet.state(GuestId{id, entry.uuid}) == GuestState::absent)
            settle_entry_without_guest(ctx, id, entry);
    settle_recorded_without_guest(ctx, id);
    store_rows(ctx, id);
    arrange(ctx, ids, nodes);
}

const RunGuestRecord* BootRun::recorded(const Context& ctx, const GuestId& id) const {
    const auto found = recorded_.find({ctx.uri_text(id.uri), id.uuid});
    return found == recorded_.end() ? nullptr : &found->second;
}

bool BootRun::chosen(const Context& ctx, const Guest& guest, const StartPolicy& policy,
                     const ResumeEntry* entry) const {
    if (!only_.empty())
        return only_.contains(guest.id);
    if (!selection_.has(guest.info.name))
        return false;
    if (const auto* row = recorded(ctx, guest.id))
        return is_open(*row);
    if (entry != nullptr || guest.info.remembered)
        return true;
    if (recorded_uris_.contains(ctx.uri_text(guest.id.uri)))
        return false;  // it had no reason when the run began; that it has one now is no boot
    if (!record_.selection.empty())
        return true;
    if (is_active(guest.info.state))
        return false;  // runs, and nobody asked for it
    return policy.policy == StartChoice::always ||
           (guest.info.autostart && policy.autostart == AutostartMode::throttle);
}

void BootRun::consider(Context& ctx, const Guest& guest, std::vector<GuestId>& ids,
                       std::vector<OrderNode>& nodes) {
    const auto* entry = ctx.resume.find(ctx.uri_text(guest.id.uri), guest.id.uuid);
    auto policy = ctx.guest_policy(guest.id, guest.info, std::nullopt);
    if (!chosen(ctx, guest, policy.start, entry))
        return;
    auto& task = add(ctx, guest.id, guest.info.name);
    task.policy = std::move(policy.start);
    task.priority = policy.priority;
    task.memory = guest.info.memory;
    task.had_image = guest.info.managed_save;
    task.was_paused = entry != nullptr && entry->was_paused;
    task.expect_restore = entry != nullptr && entry->expect_restore;
    settled_at_once(ctx, task, guest, entry);
    ids.push_back(guest.id);  // settled or not, others may require it
    nodes.push_back({guest.info.name, std::move(policy.after), std::move(policy.requires_)});
}

/// True when there is nothing to start. A guest that came up in an earlier life goes on to settle.
bool BootRun::settled_at_once(Context& ctx, BootTask& task, const Guest& guest,
                              const ResumeEntry* entry) {
    const bool active = is_up(guest.info) && !ctx.calls.find(guest.id, CallKind::start);
    if (const auto* row = recorded(ctx, guest.id); row != nullptr && row->started)
        return take_up(ctx, task, *row, active);
    // One that is on its way down (libvirt may only not have noticed its end) is to come back.
    if (active && (!only_.empty() || guest.info.state == GuestState::shutting_down)) {
        watch(ctx, task);
        return true;
    }
    const auto settle = [&](Outcome outcome, std::string cause) {
        ctx.resume.drop(ctx.out, ctx.uri_text(guest.id.uri), guest.id.uuid);
        forget(ctx, guest.id);
        finish(ctx, task, outcome, std::move(cause));
        return true;
    };
    if (active)
        return settle(Outcome::already_running, {});
    if (!record_.selection.empty() || !only_.empty())
        return false;  // asked for by name
    if (task.policy.policy == StartChoice::never)
        return settle(Outcome::skipped, "start.policy is \"never\"");
    if ((entry != nullptr || guest.info.remembered) && !task.policy.resume && !guest.info.autostart)
        return settle(Outcome::skipped, "resume is off");
    return false;
}

/// An earlier life had called its start. True when that is all there was to do.
bool BootRun::take_up(Context& ctx, BootTask& task, const RunGuestRecord& row, bool active) {
    task.started = row.started;
    task.attempts = 1;
    task.was_up = active;
    task.had_image = task.had_image || row.outcome == Outcome::restored;
    if (active || !was_up(row))
        return false;
    finish(ctx, task, row.outcome, "it stopped again before it was ready");
    return true;
}

void BootRun::settle_entry_without_guest(Context& ctx, UriId uri, const ResumeEntry& entry) {
    const GuestId id{uri, entry.uuid};
    const auto* row = recorded(ctx, id);
    if (!selection_.has(entry.name) || (!only_.empty() && !only_.contains(id)) ||
        (row != nullptr && !is_open(*row)))
        return;
    auto& task = add(ctx, id, entry.name);
    if (entry.transient) {
        ctx.resume.drop(ctx.out, entry.uri, entry.uuid);
        return finish(ctx, task, Outcome::gone,
                      "it was transient: libvirt kept nothing to start it from");
    }
    auto kept = entry;
    kept.last_error = "libvirt does not know this guest any more";
    ctx.resume.put(ctx.out, kept);
    finish(ctx, task, Outcome::gone,
           "libvirt does not know this guest any more; its entry is kept until it is defined "
           "again, or forgotten (guestctl resume-list --forget)");
}

void BootRun::settle_recorded_without_guest(Context& ctx, UriId uri) {
    const auto& text = ctx.uri_text(uri);
    for (auto at = recorded_.lower_bound({text, Uuid{}});
         at != recorded_.end() && at->first.first == text; ++at) {
        const auto& row = at->second;
        const GuestId id{uri, row.uuid};
        if (!is_open(row) || tasks_.contains(id))
            continue;
        finish(ctx, add(ctx, id, row.name), was_up(row) ? row.outcome : Outcome::gone,
               "libvirt does not know this guest any more");
    }
}

BootTask& BootRun::add(Context& ctx, const GuestId& id, std::string name) {
    BootTask task;
    task.id = id;
    task.name = name.empty() ? id.uuid.str() : std::move(name);
    task.since = ctx.now;
    task.next_try = ctx.now;
    ++pending_;
    return tasks_.insert_or_assign(id, std::move(task)).first->second;
}

/// All rows of the URI at once: a run that is continued tells by them which URIs it had looked at,
/// and must not find half of one.
void BootRun::store_rows(Context& ctx, UriId uri) {
    StoreRun store{.id = 0, .run = record_};
    for (auto at = tasks_.lower_bound(GuestId{uri, {}}); at != tasks_.end() && at->first.uri == uri;
         ++at)
        store.guests.push_back(row_of(ctx, at->second));
    ctx.out.emplace_back(std::move(store));
}

RunGuestRecord BootRun::row_of(const Context& ctx, const BootTask& task) const {
    if (task.over())
        return record_of(ctx, record_.id, task, task.since);
    auto row = record_of(ctx, record_.id, task);
    if (task.stage == Stage::settling)
        row.outcome = task.had_image ? Outcome::restored : Outcome::started;
    return row;
}

/// `next` starts after `need`. One that is up already, or settled, is waited for no longer.
void BootRun::join(BootTask& need, BootTask& next, bool hard) {
    if (next.over() || next.was_up)
        return;
    if (!need.over()) {
        need.dependents.push_back({next.id, hard});
        next.starts_after.push_back(need.id);
        ++next.missing;
        return;
    }
    const bool failed = need.outcome == Outcome::failed || need.outcome == Outcome::gone;
    if (hard && failed)
        next.dead_need = need.name + ", which failed";
}

void BootRun::arrange(Context& ctx, const std::vector<GuestId>& ids,
                      const std::vector<OrderNode>& nodes) {
    const auto order = build_order(nodes);
    for (const auto& cycle : order.cycles)
        remark(ctx, record_.id, nullptr, NoticeKind::remark,
               "order: the cycle " + cycle + " was cut", true);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto& task = tasks_.at(ids[i]);
        for (const auto& edge : order.needed_by[i])
            join(task, tasks_.at(ids[edge.to]), edge.hard);
    }
    for (const auto& id : ids) {
        auto& task = tasks_.at(id);
        if (task.over() || task.stage == Stage::watched)
            continue;
        if (task.was_up) {
            came_up(ctx, task);
            continue;
        }
        gates_.add(ctx, id, task.name, task.policy.needs);
        make_ready(ctx, task);
    }
}

}  // namespace guestd::core
