// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/actions.hpp"

#include <libvirt/virterror.h>

#include <utility>

#include "libvirt/addresses.hpp"
#include "libvirt/agent.hpp"
#include "libvirt/disk_files.hpp"
#include "libvirt/flags.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/jobs.hpp"
#include "libvirt/marks.hpp"
#include "libvirt/saved_image.hpp"
#include "libvirt/starting.hpp"
#include "libvirt/stats.hpp"

namespace guestd::libvirt {

namespace {

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
        // Now, as QEMU has gone, and nobody has had the time to touch its disks.
        if (auto found = find_image(context, domain)) {
            acted.image = std::move(found->image);
        }
    } else {
        discard_partial_image(domain);
    }
    return acted;
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

/// lxc, libxl and test have no such button, only their own way; and say so for each guest anew.
int press_power_button(UriContext& context, virDomainPtr domain) {
    if (!context.has_no_power_button) {
        const int done = virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
        if (done >= 0 || last_fault().code != VIR_ERR_INVALID_ARG) {
            return done;
        }
        context.has_no_power_button = true;
    }
    return virDomainShutdownFlags(domain, 0);
}

/// The calls that answer with nothing but a yes or a no.
int ask(UriContext& context, virDomainPtr domain, const Call& call) {
    switch (call.kind) {
        case CallKind::shutdown_auto:
            return virDomainShutdown(domain);
        case CallKind::shutdown_agent:
            return virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT);
        case CallKind::shutdown_acpi:
            return press_power_button(context, domain);
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
        case CallKind::remember:
            return mark(domain);
        case CallKind::forget:
            return unmark(domain);
        case CallKind::migrate:
            return migrate(domain, call);
        case CallKind::start:
        case CallKind::save:
        case CallKind::abort_block:
        case CallKind::inspect:
        case CallKind::set_time:
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::inspect_image:
        case CallKind::probe:
            return 0;  // have their own way
    }
    return 0;
}

bool is_there(const std::filesystem::path& path) {
    std::error_code unknown;
    return std::filesystem::exists(path, unknown) || unknown;
}

/// An image, and the disks without which it cannot be restored.
Acted inspect(const UriContext& context, virDomainPtr domain) {
    Acted acted;
    if (const auto path = image_path(context, domain); path && !is_there(*path)) {
        return acted;  // libvirt only believes so: it will boot, and that is told
    }
    auto found = find_image(context, domain);
    if (!found) {
        acted.fault = found.error();
        return acted;
    }
    acted.image = std::move(found->image);
    if (const char* definition = found->definition.get(); definition != nullptr) {
        acted.image->differences = image_differences(domain, definition);
        if (context.is_local) {
            acted.missing = missing_files(disk_files(definition));
        }
    }
    return acted;
}

/// The calls that answer with more than that; empty for the others.
std::optional<Acted> ask_more(UriContext& context, virDomainPtr domain, const Call& call) {
    // What comes of a question: the answer, in `member`, or the fault.
    const auto answer = [](auto found, auto Acted::*member) {
        Acted acted;
        if (found) {
            acted.*member = std::move(*found);
        } else {
            acted.fault = found.error();
        }
        return acted;
    };
    switch (call.kind) {
        case CallKind::start:
            return start(context, domain, call);
        case CallKind::save:
            return save(context, domain, call);
        case CallKind::inspect:
            return answer(find_job(context, domain), &Acted::job);
        case CallKind::find_address:
            return answer(find_address(context, domain), &Acted::address);
        case CallKind::inspect_image:
            return inspect(context, domain);
        case CallKind::abort_block:
            return Acted{.fault = abort_block_jobs(context, domain)};
        case CallKind::set_time:
            return Acted{.fault = set_time(context, domain)};
        case CallKind::ping_agent:
            return Acted{.fault = ping_agent(context, domain)};
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::shutdown_acpi:
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::abort_job:
        case CallKind::probe:
        case CallKind::migrate:
        case CallKind::remember:
        case CallKind::forget:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Acted act(UriContext& context, virDomainPtr domain, const Call& call) {
    if (auto acted = ask_more(context, domain, call)) {
        return std::move(*acted);
    }
    auto acted = outcome(ask(context, domain, call));
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
