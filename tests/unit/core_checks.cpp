// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core_checks.hpp"

#include <set>

namespace guestd::testing {
namespace {

bool modifies(CallKind kind) {
    using enum CallKind;
    for (const auto reads : {probe, inspect, abort_job, abort_block, remember, forget, set_time,
                             ping_agent, find_address, inspect_image})
        if (kind == reads)
            return false;
    return true;
}
bool is_destroy(CallKind kind) {
    return kind == CallKind::destroy_graceful || kind == CallKind::destroy_forced;
}
bool may_be_beside(CallKind fresh, CallKind there) {
    return is_destroy(fresh) ||
           (fresh == CallKind::shutdown_acpi && there == CallKind::shutdown_agent);
}

template <class T>
const T* event_of(const sim::Entry& entry) {
    const auto* event = std::get_if<Event>(&entry.what);
    return event == nullptr ? nullptr : std::get_if<T>(event);
}
template <class T>
const T* command_of(const sim::Entry& entry) {
    const auto* command = std::get_if<Command>(&entry.what);
    return command == nullptr ? nullptr : std::get_if<T>(command);
}

/// Calls under way, as the machine must see them: submitted, neither returned nor abandoned.
class UnderWay {
public:
    /// The call that this entry submits, after everything else is accounted for.
    const Call* see(const sim::Entry& entry) {
        if (entry.life != life_)
            calls.clear();
        life_ = entry.life;
        if (const auto* returned = event_of<CallReturned>(entry))
            calls.erase(returned->id);
        if (const auto* abandoned = command_of<AbandonCall>(entry))
            calls.erase(abandoned->id);
        return command_of<Call>(entry);
    }
    std::map<CallId, Call> calls;

private:
    unsigned life_ = 0;
};

}  // namespace

Complaint two_calls_at_once(const sim::Transcript& transcript) {
    UnderWay under_way;
    for (const auto& entry : transcript) {
        const auto* call = under_way.see(entry);
        if (call == nullptr)
            continue;
        if (modifies(call->kind))
            for (const auto& [id, other] : under_way.calls)
                if (other.guest == call->guest && modifies(other.kind) &&
                    !may_be_beside(call->kind, other.kind))
                    return sim::describe(entry) + " beside a " + std::string{to_string(other.kind)};
        under_way.calls.emplace(call->id, *call);
    }
    return {};
}

Complaint too_many_long_calls(const sim::Transcript& transcript) {
    UnderWay under_way;
    std::map<UriId, unsigned> limits;
    for (const auto& entry : transcript) {
        if (const auto* listed = event_of<InventoryListed>(entry))
            limits[listed->uri] = listed->long_calls;
        const auto* call = under_way.see(entry);
        if (call == nullptr)
            continue;
        under_way.calls.emplace(call->id, *call);
        unsigned count = 0;
        for (const auto& [id, other] : under_way.calls)
            count += other.guest.uri == call->guest.uri && is_long(other.kind) ? 1 : 0;
        if (is_long(call->kind) && count > limits[call->guest.uri])
            return sim::describe(entry) + " is long call " + std::to_string(count);
    }
    return {};
}

Complaint too_many_starting(const sim::Transcript& transcript, unsigned limit) {
    std::map<UriId, std::set<GuestId>> starting;
    unsigned life = 0;
    for (const auto& entry : transcript) {
        if (entry.life != life)
            starting.clear();
        life = entry.life;
        if (const auto* call = command_of<Call>(entry); call && call->kind == CallKind::start) {
            starting[call->guest.uri].insert(call->guest);
            if (limit > 0 && starting[call->guest.uri].size() > limit)
                return sim::describe(entry) + " is one too many";
        }
        if (const auto* returned = event_of<CallReturned>(entry))
            if (!returned->observed || !is_active(returned->observed->state))
                starting[returned->guest.uri].erase(returned->guest);
        if (const auto* notice = command_of<Notice>(entry))
            if (notice->kind == NoticeKind::guest_done)
                starting[notice->guest->uri].erase(*notice->guest);
    }
    return {};
}

Complaint too_little_delay(const sim::Transcript& transcript, Duration delay) {
    std::map<UriId, std::pair<unsigned, TimePoint>> last;
    for (const auto& entry : transcript) {
        const auto* call = command_of<Call>(entry);
        if (call == nullptr || call->kind != CallKind::start)
            continue;
        const auto [found, fresh] =
            last.try_emplace(call->guest.uri, std::pair{entry.life, entry.at});
        const auto [life, at] = found->second;
        if (!fresh && life == entry.life && entry.at - at < delay)
            return sim::describe(entry) + " is too early";
        found->second = {entry.life, entry.at};
    }
    return {};
}

Complaint two_outcomes(const sim::Transcript& transcript) {
    std::set<std::pair<RunId, GuestId>> seen;
    for (const auto& entry : transcript)
        if (const auto* notice = command_of<Notice>(entry))
            if (notice->kind == NoticeKind::guest_done &&
                !seen.emplace(notice->run, *notice->guest).second)
                return sim::describe(entry) + " has an outcome already";
    return {};
}

std::map<GuestId, TimePoint> ends(const sim::Transcript& transcript) {
    std::map<GuestId, TimePoint> found;
    for (const auto& entry : transcript)
        if (const auto* notice = command_of<Notice>(entry))
            if (notice->kind == NoticeKind::guest_done)
                found[*notice->guest] = entry.at;
    return found;
}

}  // namespace guestd::testing
