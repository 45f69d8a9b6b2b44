// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/agent.hpp"

#include <libvirt/virterror.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "libvirt/agent_bounds.hpp"

namespace guestd::libvirt {

namespace {

using namespace std::chrono;

/// Less than anybody's certificates, tickets and cron jobs notice; more than a slow agent loses
/// between reading its clock and answering.
constexpr nanoseconds kTolerance = seconds{2};
/// libvirt 11.2 has a code of its own for what its agent refuses. Its number, as we build against
/// older ones.
constexpr int kAgentCommandFailed = 113;

nanoseconds host_time() {
    return system_clock::now().time_since_epoch();
}

std::string in_seconds(nanoseconds span) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f s", duration<double>{span}.count());
    return text;
}

/// The agent has said something, if only that it will not. Whatever keeps libvirt from hearing of
/// it (not connected, silent, another command under way) has a code of its own.
bool is_from_agent(virDomainPtr domain, const Fault& fault) {
    return (fault.code == VIR_ERR_INTERNAL_ERROR || fault.code == kAgentCommandFailed) &&
           !is_dead(virDomainGetConnect(domain)) && virDomainIsActive(domain) == 1;
}

std::optional<Fault> read_time(virDomainPtr domain, nanoseconds& time) {
    long long whole = 0;
    unsigned fraction = 0;
    if (virDomainGetTime(domain, &whole, &fraction, 0) < 0) {
        return last_fault();
    }
    time = seconds{whole} + nanoseconds{fraction};
    return std::nullopt;
}

/// Empty when the guest's clock is right.
std::optional<Fault> check_time(virDomainPtr domain) {
    // The guest read its clock at some moment between these two.
    const auto before = host_time();
    nanoseconds guest{};
    if (const auto fault = read_time(domain, guest)) {
        return Fault{fault->code, "its clock cannot be read back: " + fault->message,
                     fault->system};
    }
    const auto after = host_time();
    if (guest < before - kTolerance) {
        return Fault{VIR_ERR_OPERATION_FAILED,
                     "its clock was set, and still is " + in_seconds(before - guest) + " behind"};
    }
    if (guest > after + kTolerance) {
        return Fault{VIR_ERR_OPERATION_FAILED,
                     "its clock was set, and still is " + in_seconds(guest - after) + " ahead"};
    }
    return std::nullopt;
}

}  // namespace

std::optional<Fault> set_time(UriContext& context, virDomainPtr domain) {
    const AgentBound bound{context.agent_bounds, domain};
    if (bound.fault()) {
        return bound.fault();
    }
    // Explicit: guests' agents differ in what they make of "take it from your clock chip".
    const auto now = host_time();
    const auto whole = floor<seconds>(now);
    if (virDomainSetTime(domain, whole.count(), static_cast<unsigned>((now - whole).count()), 0) <
        0) {
        const auto fault = last_fault();
        // A guest without a clock chip says that it has failed, as it could not set that one.
        const bool right = is_from_agent(domain, fault) && !check_time(domain);
        return right ? std::nullopt : std::optional{fault};
    }
    return check_time(domain);
}

std::optional<Fault> ping_agent(UriContext& context, virDomainPtr domain) {
    const AgentBound bound{context.agent_bounds, domain};
    if (bound.fault()) {
        return bound.fault();
    }
    nanoseconds time{};
    const auto fault = read_time(domain, time);
    return fault && is_from_agent(domain, *fault) ? std::nullopt : fault;
}

}  // namespace guestd::libvirt
