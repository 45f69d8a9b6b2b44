// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/mapping.hpp"

#include <libvirt/libvirt.h>

namespace guestd::libvirt {

namespace {

// Newer than the libvirt that we build against.
constexpr int kStoppedRecreated = 7;        // 11.6: QEMU is replaced under a guest that goes on
constexpr int kSuspendedGuestShutdown = 9;  // 11.10: the guest is off, QEMU stays for a backup

Lifecycle started(int detail) {
    switch (detail) {
        case VIR_DOMAIN_EVENT_STARTED_BOOTED:
            return Lifecycle::booted;
        case VIR_DOMAIN_EVENT_STARTED_RESTORED:
            return Lifecycle::restored;
        default:
            return Lifecycle::started;
    }
}

Lifecycle stopped(int detail) {
    switch (detail) {
        case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
            return Lifecycle::shut_down;
        case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
            return Lifecycle::destroyed;
        case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
        case VIR_DOMAIN_EVENT_STOPPED_FAILED:  // QEMU has died, or was killed
            return Lifecycle::crashed;
        case VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
            return Lifecycle::migrated;
        case VIR_DOMAIN_EVENT_STOPPED_SAVED:
            return Lifecycle::saved;
        case kStoppedRecreated:
            return Lifecycle::started;
        default:
            return Lifecycle::stopped;
    }
}

}  // namespace

GuestState state_of(int state) {
    switch (state) {
        case VIR_DOMAIN_PAUSED:
            return GuestState::paused;
        case VIR_DOMAIN_SHUTDOWN:
            return GuestState::shutting_down;
        case VIR_DOMAIN_SHUTOFF:
            return GuestState::shutoff;
        case VIR_DOMAIN_CRASHED:
            return GuestState::crashed;
        case VIR_DOMAIN_PMSUSPENDED:
            return GuestState::pmsuspended;
        default:
            // Running, blocked, and Xen's "no state", which is a guest between two time slices.
            return GuestState::running;
    }
}

bool is_paused_for_save(int state, int reason) {
    return state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_SAVE;
}

bool is_starting(int state, int reason) {
    return state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP;
}

GuestJob job_of(int operation) {
    switch (operation) {
        case VIR_DOMAIN_JOB_OPERATION_SAVE:
            return GuestJob::save;
        case VIR_DOMAIN_JOB_OPERATION_BACKUP:
            return GuestJob::backup;
        case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
            return GuestJob::migration;
        default:
            // Dumps, snapshots, somebody's start; and what is newer than this.
            return GuestJob::other;
    }
}

std::optional<Lifecycle> lifecycle_of(int event, int detail) {
    switch (event) {
        case VIR_DOMAIN_EVENT_DEFINED:
            return Lifecycle::defined;
        case VIR_DOMAIN_EVENT_UNDEFINED:
            return Lifecycle::undefined;
        case VIR_DOMAIN_EVENT_STARTED:
            return started(detail);
        case VIR_DOMAIN_EVENT_SUSPENDED:
            return detail == kSuspendedGuestShutdown ? Lifecycle::shutting_down
                                                     : Lifecycle::suspended;
        case VIR_DOMAIN_EVENT_RESUMED:
            return Lifecycle::resumed;
        case VIR_DOMAIN_EVENT_STOPPED:
            return stopped(detail);
        case VIR_DOMAIN_EVENT_SHUTDOWN:
            return Lifecycle::shutting_down;
        case VIR_DOMAIN_EVENT_PMSUSPENDED:
            return Lifecycle::pmsuspended;
        default:
            return std::nullopt;
    }
}

}  // namespace guestd::libvirt
