// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/calls.hpp"

#include <utility>

namespace guestd::core {
namespace {

bool modifies(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::shutdown_acpi:
        case CallKind::save:
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::migrate:
            return true;
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::probe:
        case CallKind::inspect:
        case CallKind::set_time:  // the agent's own affair: a drain need not wait for it
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::inspect_image:
        case CallKind::remember:
        case CallKind::forget:
            return false;
    }
    return true;
}

}  // namespace

CallId Calls::submit(Outbox& out, Call call, TimePoint now) {
    call.id = ++last_;
    calls_.emplace(call.id, InFlight{call.guest, call.kind, now});
    of_guest_.emplace(call.guest, call.id);
    if (is_long(call.kind))
        ++long_calls_[call.guest.uri];
    out.emplace_back(std::move(call));
    return last_;
}

std::optional<Calls::InFlight> Calls::finish(CallId id) {
    const auto found = calls_.find(id);
    if (found == calls_.end())
        return std::nullopt;
    auto call = found->second;
    calls_.erase(found);
    const auto [begin, end] = of_guest_.equal_range(call.guest);
    for (auto at = begin; at != end; ++at)
        if (at->second == id) {
            of_guest_.erase(at);
            break;
        }
    if (is_long(call.kind))
        --long_calls_[call.guest.uri];
    return call;
}

void Calls::abandon(Outbox& out, CallId id) {
    if (const auto call = finish(id))
        out.emplace_back(AbandonCall{id, call->guest});
}

void Calls::abandon_modifying(Outbox& out, const GuestId& guest, CallId keep) {
    std::vector<CallId> ids;
    const auto [begin, end] = of_guest_.equal_range(guest);
    for (auto at = begin; at != end; ++at)
        if (at->second != keep && modifies(calls_.at(at->second).kind))
            ids.push_back(at->second);
    for (const auto id : ids)
        abandon(out, id);
}

std::optional<CallId> Calls::find(const GuestId& guest, CallKind kind) const {
    const auto [begin, end] = of_guest_.equal_range(guest);
    for (auto at = begin; at != end; ++at)
        if (calls_.at(at->second).kind == kind)
            return at->second;
    return std::nullopt;
}

unsigned Calls::long_calls(UriId uri) const {
    const auto found = long_calls_.find(uri);
    return found == long_calls_.end() ? 0 : found->second;
}

std::optional<CallKind> Calls::modifying(const GuestId& guest) const {
    const auto [begin, end] = of_guest_.equal_range(guest);
    for (auto at = begin; at != end; ++at) {
        const auto kind = calls_.at(at->second).kind;
        if (modifies(kind))
            return kind;
    }
    return std::nullopt;
}

std::vector<GuestId> Calls::guests_with(CallKind kind) const {
    std::vector<GuestId> guests;
    for (const auto& [id, call] : calls_)
        if (call.kind == kind)
            guests.push_back(call.guest);
    return guests;
}

}  // namespace guestd::core
