// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who starts: resume list, autostart, "always"; minus "never". Each once, whatever reasons it has.
#include <algorithm>
#include <utility>

#include "core/boot_run.hpp"

namespace guestd::core {

void BootRun::seed(Context& ctx, UriId id) {
    auto& uri = uris_[static_cast<std::size_t>(id)];
    uri.seeded = true;
    uri.policy = ctx.policy.uri(ctx.uri_text(id), std::nullopt);
    uri.next_start = ctx.now;

    std::vector<GuestId> ids;
    std::vector<OrderNode> nodes;
    for (const auto* guest : ctx.fleet.guests(id))
        consider(ctx, *guest, ids, nodes);
    for (const auto& entry : ctx.resume.of_uri(ctx.uri_text(id)))
        if (ctx.fleet.find(GuestId{id, entry.uuid}) == nullptr)
            settle_entry_without_guest(ctx, id, entry);
    arrange(ctx, ids, nodes);
}

bool BootRun::recorded_before(const Context& ctx, UriId uri, const Uuid& uuid) const {
    const auto& text = ctx.uri_text(uri);
    if (!recorded_uris_.contains(text))
        return false;
    const auto found = recorded_.find({text, uuid});
    return found == recorded_.end() || found->second != Outcome::pending;
}

bool BootRun::chosen(const Context& ctx, const Guest& guest, const StartPolicy& policy,
                     const ResumeEntry* entry) const {
    if (!only_.empty())
        return only_.contains(guest.id);
    if (!selected(record_.selection, guest.info.name))
        return false;
    if (recorded_before(ctx, guest.id.uri, guest.id.uuid))
        return false;
    if (entry != nullptr || !record_.selection.empty())
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

    if (is_active(guest.info.state) && !ctx.calls.modifying(guest.id)) {
        ctx.resume.drop(ctx.out, ctx.uri_text(guest.id.uri), guest.id.uuid);
        return finish(ctx, task, Outcome::already_running, {});
    }
    const bool by_name = !record_.selection.empty();
    if (task.policy.policy == StartChoice::never && !by_name) {
        ctx.resume.drop(ctx.out, ctx.uri_text(guest.id.uri), guest.id.uuid);
        return finish(ctx, task, Outcome::skipped, "start.policy is \"never\"");
    }
    if (entry != nullptr && !task.policy.resume && !guest.info.autostart && !by_name &&
        only_.empty()) {
        ctx.resume.drop(ctx.out, ctx.uri_text(guest.id.uri), guest.id.uuid);
        return finish(ctx, task, Outcome::skipped, "resume is off");
    }
    ids.push_back(guest.id);
    nodes.push_back({guest.info.name, std::move(policy.after), std::move(policy.requires_)});
}

void BootRun::settle_entry_without_guest(Context& ctx, UriId uri, const ResumeEntry& entry) {
    const GuestId id{uri, entry.uuid};
    if (!selected(record_.selection, entry.name) || (!only_.empty() && !only_.contains(id)))
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

BootTask& BootRun::add(Context& ctx, const GuestId& id, std::string name) {
    BootTask task;
    task.id = id;
    task.name = name.empty() ? id.uuid.str() : std::move(name);
    task.since = ctx.now;
    task.next_try = ctx.now;
    ++pending_;
    auto& placed = tasks_.insert_or_assign(id, std::move(task)).first->second;
    ctx.out.emplace_back(StoreGuest{record_of(ctx, record_.id, placed)});
    return placed;
}

void BootRun::arrange(Context& ctx, const std::vector<GuestId>& ids,
                      const std::vector<OrderNode>& nodes) {
    const auto order = build_order(nodes);
    for (const auto& cycle : order.cycles)
        remark(ctx, record_.id, nullptr, NoticeKind::remark,
               "order: the cycle " + cycle + " was cut", true);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto& task = tasks_.at(ids[i]);
        task.missing = static_cast<unsigned>(order.needs[i].size());
        for (const auto& edge : order.needed_by[i])
            task.dependents.push_back({ids[edge.to], edge.hard});
    }
    for (const auto& id : ids)
        make_ready(ctx, tasks_.at(id));
}

}  // namespace guestd::core
