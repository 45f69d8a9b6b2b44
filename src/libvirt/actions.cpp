// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/actions.hpp"

#include <libvirt/virterror.h>

#include <chrono>
#include <initializer_list>
#include <utility>

#include "libvirt/handles.hpp"
#include "libvirt/jobs.hpp"
#include "libvirt/marks.hpp"
#include "libvirt/stats.hpp"

namespace guestd::libvirt {

namespace {

Acted outcome(int returned) {
    return {.fault = returned < 0 ? std::optional{last_fault()} : std::nullopt};
}

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

/// Calls once more without `bypass` where the images' file system has no way around the cache.
template <class F>
int with_bypass(unsigned bypass, unsigned flags, F call) {
    const int outcome = call(flags);
    const bool again = outcome < 0 && (flags & bypass) != 0 && is_direct_io_refused(last_fault());
    return again ? call(flags & ~bypass) : outcome;
}

int start(const UriContext& context, virDomainPtr domain, const Call& call) {
    const bool safe = !context.loses_unopened_image || context.space->opens_directly();
    const unsigned cache = call.bypass_cache && safe ? VIR_DOMAIN_START_BYPASS_CACHE + 0U : 0U;
    // Never dropped: without it the guest would wake up from the very image it must not use.
    const unsigned force = call.force_boot ? VIR_DOMAIN_START_FORCE_BOOT + 0U : 0U;
    const auto create = [domain](unsigned flags) {
        return virDomainCreateWithFlags(domain, flags);
    };
    return with_flags({cache | force, force}, [&](unsigned flags) {
        return with_bypass(VIR_DOMAIN_START_BYPASS_CACHE, flags, create);
    });
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

/// What the guest's image may need; one short call, which waits for nobody.
Bytes size_of_image(const UriContext& context, virDomainPtr domain, const Uuid& uuid) {
    const auto known = context.outlet.known(uuid);
    StatsRecords records;
    const bool told = read_stats({domain, nullptr}, VIR_DOMAIN_STATS_BALLOON, records) == 1;
    const auto resident = told ? kib_of(*records.list[0], "balloon.rss") : Bytes{};
    return image_size(known ? known->memory : Bytes{}, resident);
}

/// libvirt 11.3 leaves the file of a save that was aborted. A guest that runs and is not being
/// saved has no image that is worth anything.
void discard_partial_image(virDomainPtr domain) {
    if (virDomainIsActive(domain) == 1 && !save_progress(domain)) {
        virDomainManagedSaveRemove(domain, 0);
    }
}

Acted save(const UriContext& context, virDomainPtr domain, const Call& call) {
    SaveSpace::ReservationPtr room;
    if (context.space->is_limited()) {
        const auto& uuid = call.guest.uuid;
        auto reserved = context.space->reserve(uuid, size_of_image(context, domain, uuid));
        if (!reserved) {
            return {.fault = Fault{VIR_ERR_OPERATION_FAILED, reserved.error()}};
        }
        room = std::move(*reserved);
    }
    const unsigned cache = call.bypass_cache ? VIR_DOMAIN_SAVE_BYPASS_CACHE + 0U : 0U;
    unsigned as = 0;
    if (call.save_as) {
        as = *call.save_as == GuestState::paused ? VIR_DOMAIN_SAVE_PAUSED + 0U
                                                 : VIR_DOMAIN_SAVE_RUNNING + 0U;
    }
    const auto managed_save = [domain](unsigned flags) {
        return virDomainManagedSave(domain, flags);
    };
    auto acted = outcome(with_flags({cache | as, as, 0}, [&](unsigned flags) {
        return with_bypass(VIR_DOMAIN_SAVE_BYPASS_CACHE, flags, managed_save);
    }));
    if (!acted.fault) {
        acted.bytes = saved_bytes(domain);
    } else {
        discard_partial_image(domain);
    }
    return acted;
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

int migrate(virDomainPtr domain, const Call& call) {
    // Peer to peer: the job belongs to the source's libvirtd, and goes on without us. The guest and
    // its definition are at one place before, and at one place afterwards.
    constexpr unsigned kNeeded = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER |
                                 VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    // For a guest that writes faster than the network carries; and a guest whose disk fails on the
    // way had better fail here.
    constexpr unsigned kWished = VIR_MIGRATE_AUTO_CONVERGE | VIR_MIGRATE_ABORT_ON_ERROR;
    return with_flags({kNeeded | kWished, kNeeded}, [&](unsigned flags) {
        return virDomainMigrateToURI3(domain, call.target.c_str(), nullptr, 0, flags);
    });
}

/// The calls that answer with nothing but a yes or a no.
int ask(const UriContext& context, virDomainPtr domain, const Call& call) {
    const auto shutdown = [domain](unsigned flags) {
        return virDomainShutdownFlags(domain, flags);
    };
    switch (call.kind) {
        case CallKind::start:
            return start(context, domain, call);
        case CallKind::shutdown_auto:
            return virDomainShutdown(domain);
        case CallKind::shutdown_agent:
            return shutdown(VIR_DOMAIN_SHUTDOWN_GUEST_AGENT);
        case CallKind::shutdown_acpi:
            // lxc, libxl and test have no such button, only their own way.
            return with_flags({VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, 0}, shutdown);
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
        case CallKind::set_time:
            return set_time(domain);
        case CallKind::remember:
            return mark(domain);
        case CallKind::forget:
            return unmark(domain);
        case CallKind::migrate:
            return migrate(domain, call);
        case CallKind::save:
        case CallKind::abort_block:
        case CallKind::inspect:
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::inspect_image:
        case CallKind::probe:
            return 0;  // act() has its own way with them
    }
    return 0;
}

}  // namespace

Acted act(UriContext& context, virDomainPtr domain, const Call& call) {
    if (call.kind == CallKind::save) {
        return save(context, domain, call);
    }
    if (call.kind == CallKind::inspect) {
        const auto found = find_job(context, domain);
        return found ? Acted{.job = *found} : Acted{.fault = found.error()};
    }
    if (call.kind == CallKind::abort_block) {
        return {.fault = abort_block_jobs(context, domain)};
    }
    const auto acted = outcome(ask(context, domain, call));
    if (!acted.fault && (call.kind == CallKind::remember || call.kind == CallKind::forget)) {
        context.outlet.marked(call.guest.uuid, call.kind == CallKind::remember);
    }
    // It was up until now, so no image of it is whole; libvirt leaves the part of one that it had
    // written when the guest is taken away under it.
    if (!acted.fault && call.discard_image) {
        virDomainManagedSaveRemove(domain, 0);
    }
    return acted;
}

}  // namespace guestd::libvirt
