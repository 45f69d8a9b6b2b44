// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/clocks.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {
namespace {

/// An agent that has just been thawed may miss the first request; doubled after each failure.
constexpr Duration kFirstRetry = 2s;
constexpr Duration kLastRetry = 30s;

}  // namespace

void Clocks::set(Context& ctx, RunId run, const GuestId& guest, const std::string& name,
                 Duration time) {
    auto& clock = guests_[guest];
    clock = Clock{.run = run, .name = name, .until = ctx.now + time};
    agenda_.set(guest, clock.until);
    attempt(ctx, guest, clock);
}

/// As soon as the agent is there; until then only the end is on the agenda.
void Clocks::attempt(Context& ctx, const GuestId& guest, Clock& clock) {
    const auto* about = ctx.fleet.find(guest);
    if (clock.call != 0 || about == nullptr || !about->info.agent_connected)
        return;
    clock.call =
        ctx.calls.submit(ctx.out, Call{.guest = guest, .kind = CallKind::set_time}, ctx.now);
}

void Clocks::handle(Context& ctx, const Event& event) {
    if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        if (const auto found = guests_.find(agent->guest); found != guests_.end())
            attempt(ctx, found->first, found->second);
        return;
    }
    const auto* returned = std::get_if<CallReturned>(&event);
    if (returned == nullptr)
        return;
    const auto found = guests_.find(returned->guest);
    if (found == guests_.end() || found->second.call != returned->id)
        return;
    auto& [guest, clock] = *found;
    clock.call = 0;
    if (returned->status == CallStatus::done) {
        tell(ctx, guest, clock, "its clock has been set", false);
        agenda_.clear(guest);
        guests_.erase(found);
        return;
    }
    clock.why = returned->message;
    const auto pause = std::min(kFirstRetry * (1L << std::min(clock.failures++, 5U)), kLastRetry);
    agenda_.set(guest, std::min(ctx.now + pause, clock.until));
}

void Clocks::advance(Context& ctx) {
    for (const auto& guest : agenda_.take_due(ctx.now)) {
        const auto found = guests_.find(guest);
        auto& clock = found->second;
        const bool gone = !is_active(ctx.fleet.state(guest));
        if (!gone && ctx.now < clock.until) {
            agenda_.set(guest, clock.until);
            attempt(ctx, guest, clock);
            continue;
        }
        if (!gone)
            tell(ctx, guest, clock, "its clock could not be set after the restore: " + clock.why,
                 true);
        guests_.erase(found);
    }
}

void Clocks::tell(Context& ctx, const GuestId& guest, const Clock& clock, std::string text,
                  bool warning) {
    ctx.out.emplace_back(Notice{.kind = NoticeKind::remark,
                                .run = clock.run,
                                .guest = guest,
                                .name = clock.name,
                                .what = "sync-time",
                                .text = std::move(text),
                                .warning = warning});
}

}  // namespace guestd::core
