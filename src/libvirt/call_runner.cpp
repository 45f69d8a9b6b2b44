// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/call_runner.hpp"

#include <libvirt/virterror.h>

#include <chrono>
#include <initializer_list>

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

namespace {

/// A hung agent would hold the call for ever; `guest-set-time` itself takes milliseconds.
constexpr int kAgentSeconds = 10;

/// Calls with each set of flags in turn while the driver says that it does not know them.
template <class F>
int with_flags(std::initializer_list<unsigned> alternatives, F call) {
    int outcome = -1;
    std::optional<unsigned> tried;
    for (const unsigned flags : alternatives) {
        if (tried == flags) {
            continue;
        }
        tried = flags;
        outcome = call(flags);
        if (outcome >= 0 || !is_unsupported(last_fault())) {
            break;
        }
    }
    return outcome;
}

int start(virDomainPtr domain, const Call& call) {
    const unsigned cache = call.bypass_cache ? VIR_DOMAIN_START_BYPASS_CACHE + 0U : 0U;
    // Never dropped: without it the guest would wake up from the very image it must not use.
    const unsigned force = call.force_boot ? VIR_DOMAIN_START_FORCE_BOOT + 0U : 0U;
    return with_flags({cache | force, force},
                      [&](unsigned flags) { return virDomainCreateWithFlags(domain, flags); });
}

int save(virDomainPtr domain, const Call& call) {
    const unsigned cache = call.bypass_cache ? VIR_DOMAIN_SAVE_BYPASS_CACHE + 0U : 0U;
    unsigned as = 0;
    if (call.save_as) {
        as = *call.save_as == GuestState::paused ? VIR_DOMAIN_SAVE_PAUSED + 0U
                                                 : VIR_DOMAIN_SAVE_RUNNING + 0U;
    }
    return with_flags({cache | as, as, 0},
                      [&](unsigned flags) { return virDomainManagedSave(domain, flags); });
}

int set_time(virDomainPtr domain) {
    if (virDomainAgentSetResponseTimeout(domain, kAgentSeconds, 0) < 0 &&
        !is_unsupported(last_fault())) {
        return -1;
    }
    using namespace std::chrono;
    const auto now = system_clock::now().time_since_epoch();
    const auto whole = duration_cast<seconds>(now);
    // Explicit: guests' agents differ in what they make of "take it from your clock chip".
    return virDomainSetTime(domain, whole.count(),
                            static_cast<unsigned>(nanoseconds{now - whole}.count()), 0);
}

int act(virDomainPtr domain, const Call& call) {
    const auto shutdown = [domain](unsigned flags) {
        return virDomainShutdownFlags(domain, flags);
    };
    switch (call.kind) {
        case CallKind::start:
            return start(domain, call);
        case CallKind::shutdown_auto:
            return virDomainShutdown(domain);
        case CallKind::shutdown_agent:
            return shutdown(VIR_DOMAIN_SHUTDOWN_GUEST_AGENT);
        case CallKind::shutdown_acpi:
            // lxc, libxl and test have no such button, only their own way.
            return with_flags({VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, 0}, shutdown);
        case CallKind::save:
            return save(domain, call);
        case CallKind::destroy_graceful:
            return with_flags({VIR_DOMAIN_DESTROY_GRACEFUL, 0}, [domain](unsigned flags) {
                return virDomainDestroyFlags(domain, flags);
            });
        case CallKind::destroy_forced:
            return virDomainDestroy(domain);
        case CallKind::resume:
            return virDomainResume(domain);
        case CallKind::suspend:
            return virDomainSuspend(domain);
        case CallKind::wake:
            return virDomainPMWakeup(domain, 0);
        case CallKind::abort_job:
            return virDomainAbortJob(domain);
        case CallKind::probe:
            return 0;
        case CallKind::set_time:
            return set_time(domain);
        case CallKind::abort_block:
        case CallKind::inspect:
        case CallKind::migrate:
        case CallKind::remember:
        case CallKind::forget:
            return -1;
    }
    return 0;
}

/// What is read back after a success; a failure is always followed by a reading.
std::optional<Depth> reading_after(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::probe:
            return Depth::definition;
        case CallKind::save:
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::migrate:
            return Depth::state;
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::shutdown_acpi:
        case CallKind::set_time:
        case CallKind::inspect:
        case CallKind::remember:
        case CallKind::forget:
            return std::nullopt;
    }
    return std::nullopt;
}

/// QEMU's driver keeps the statistics of the last job; others have none.
Bytes saved_bytes(virDomainPtr domain) {
    int type = VIR_DOMAIN_JOB_NONE;
    TypedParameters stats;
    if (virDomainGetJobStats(domain, &type, stats.params_out(), stats.count_out(),
                             VIR_DOMAIN_JOB_STATS_COMPLETED) < 0 ||
        type != VIR_DOMAIN_JOB_COMPLETED) {
        return {};
    }
    return Bytes{stats.number(VIR_DOMAIN_JOB_DATA_PROCESSED)};
}

GuestInfo absent(const Uuid& uuid) {
    return {.uuid = uuid, .state = GuestState::absent, .persistent = false};
}

/// Looks the guest up, once more on a new connection if the old one turns out to be dead: nothing
/// has been asked for yet.
DomainPtr look_up(Connection& connection, const Uuid& uuid, virConnectPtr& handle, Fault& fault) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto opened = connection.open();
        if (!opened) {
            handle = nullptr;
            fault = {VIR_ERR_NO_CONNECT, opened.error().message()};
            return nullptr;
        }
        handle = *opened;
        DomainPtr domain{virDomainLookupByUUID(handle, uuid.raw().data())};
        if (domain) {
            return domain;
        }
        fault = last_fault();
        if (!is_dead(handle)) {
            break;
        }
    }
    return nullptr;
}

void not_found(const Fault& fault, virConnectPtr handle, CallReturned& result) {
    result.message = fault.message;
    if (fault.code == VIR_ERR_NO_DOMAIN) {
        result.status = CallStatus::refused;
        result.observed = absent(result.guest.uuid);
    } else {
        result.status = handle == nullptr ? CallStatus::unknown : status_of(fault, handle);
    }
}

}  // namespace

Carried carry_out(const UriContext& context, Connection& connection, const Call& call,
                  const std::function<bool()>& may_act) {
    Carried carried{{.id = call.id, .guest = call.guest}, context.outlet.mark(call.guest.uuid)};
    auto& result = carried.result;
    virConnectPtr handle = nullptr;
    Fault fault;
    const auto domain = look_up(connection, call.guest.uuid, handle, fault);
    if (handle != nullptr) {
        context.answered();
    }
    if (!domain) {
        not_found(fault, handle, result);
        return carried;
    }
    if (!may_act()) {
        result.status = CallStatus::unknown;
        return carried;
    }
    auto depth = reading_after(call.kind);
    if (act(domain.get(), call) < 0) {
        fault = last_fault();
        result.status = status_of(fault, handle);
        result.message = fault.message;
        depth = Depth::state;
    } else if (call.kind == CallKind::save) {
        result.bytes = saved_bytes(domain.get());
    }
    carried.place = context.outlet.mark(call.guest.uuid);
    if (depth && !is_dead(handle)) {
        carried.depth = *depth;
        result.observed = observe(context, domain.get(), *depth);
    }
    return carried;
}

void read_again(const UriContext& context, Connection& connection, Carried& carried) {
    auto& result = carried.result;
    carried.place = context.outlet.mark(result.guest.uuid);
    result.observed.reset();
    virConnectPtr handle = nullptr;
    Fault fault;
    if (const auto domain = look_up(connection, result.guest.uuid, handle, fault)) {
        result.observed = observe(context, domain.get(), carried.depth);
    } else if (fault.code == VIR_ERR_NO_DOMAIN) {
        result.observed = absent(result.guest.uuid);
    }
}

}  // namespace guestd::libvirt
