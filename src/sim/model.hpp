// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the simulated hosts are made of: how a guest behaves, how a libvirt behaves.
///
/// Plain values with harmless defaults: a test or a plan names only what it is about. The figures
/// of libvirt (workers, job lock, time of a destroy) are those of its source, so that a policy
/// which works here does not meet them for the first time on a host.

#include <optional>
#include <string>
#include <vector>

#include "guestd/events.hpp"
#include "guestd/policy.hpp"
#include "guestd/types.hpp"

namespace guestd::sim {

enum class Agent {
    none,     ///< no channel
    answers,  ///< shuts the guest down when asked
    ignores,  ///< says yes and does nothing
    hangs,    ///< never answers; libvirt gives up after 60 s
    refuses,
};

// In the order in which a person reads it.
struct GuestModel {  // NOLINT(clang-analyzer-optin.performance.Padding)
    std::string name;
    GuestState state = GuestState::running;  ///< at the beginning
    bool persistent = true;
    bool autostart = false;
    bool managed_save = false;
    Bytes memory{256ULL << 20};
    std::string metadata;

    // How it stops.
    std::optional<Duration> obeys = 2s;  ///< from the button to the end; empty = deaf
    Duration flush{};                    ///< of that, in state shutting_down, QEMU flushing
    Agent agent = Agent::none;
    bool restarts_on_poweroff = false;   ///< on_poweroff=restart: obeys, and is up again
    bool crashes_when_stopping = false;  ///< QEMU dies instead of ending
    bool refuses_save = false;           ///< VFIO and the like
    bool save_breaks = false;            ///< fails half way: disk full
    bool deaf_to_sigterm = false;        ///< graceful destroy fails
    bool refuses_destroy = false;        ///< at once: no permission
    bool unkillable = false;             ///< stuck in the kernel
    GuestJob job = GuestJob::none;       ///< of somebody else; a save is refused while it lasts
    bool refuses_migration = false;
    Duration migration_time = 3s;

    // How it starts.
    Duration start_time = 500ms;  ///< of the call, from nothing
    Duration boot_time = 5s;      ///< until it hears the button and its agent connects
    unsigned start_failures = 0;  ///< so many times first
    TimePoint locked_until{};     ///< its disk lock is held elsewhere
    bool image_breaks = false;    ///< its image cannot be restored
    bool image_vanishes = false;  ///< its image is silently dropped, and it boots
    bool image_partial = false;   ///< its save was cut short: the same, and its header tells
    std::vector<std::string> image_differences;  ///< from its definition
    unsigned disk_version = 1;                   ///< grows when somebody writes to its disks
    TimePoint disk_from{};  ///< its disk, `path:/disks/NAME`, is not there before
    bool unfit = false;     ///< its definition cannot be started

    // How it shows that it is up.
    std::optional<Duration> serves_after;  ///< tcp and exec; empty = when it has booted
    bool has_io = true;                    ///< its driver has block statistics
    Duration starved_after{};              ///< of being up; it gets no processor then,
    Duration starved_for{};                ///< for so long, and boots the later
    bool never_rests = false;              ///< reads its disk for ever, not only while it boots
};

/// Chances in [0, 1] for each lifecycle event.
struct EventFaults {
    double lost = 0;
    double doubled = 0;
    double late = 0;  ///< by `delay`
    Duration delay = 3s;
};

struct UriModel {
    std::string uri = "qemu:///system";
    TimePoint answers_from{};     ///< kNever = never
    Duration latency = 1ms;       ///< each way
    Bytes bandwidth{1ULL << 30};  ///< of its disk per second, shared by saves and restores
    Bytes stream{};               ///< no single save or restore is faster; zero = no limit
    /// From the time when QEMU has handed over its memory to the end of a save: libvirt looks 200
    /// ms after SIGTERM whether QEMU has ended.
    Duration save_end = 200ms;
    bool tells_written = true;    ///< as QEMU's driver does (JOB_COMPLETED)
    unsigned workers = 20;        ///< max_workers
    unsigned urgent_workers = 5;  ///< prio_workers
    unsigned long_calls = 15;     ///< what the listing says
    Duration keepalive = 30s;     ///< a frozen libvirt is given up after it; 0 = never
    Duration reconnect = 1s;      ///< after the other side is there again
    /// A guest that was being started when libvirt died is killed so long after libvirt is back:
    /// 0.2 s were seen, and more than 2 s on a busy host, with clients served meanwhile.
    Duration half_started = 4s;
    EventFaults faults;
};

}  // namespace guestd::sim
