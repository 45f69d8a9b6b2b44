// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What all threads of one URI share, and their limits.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/local_uri.hpp"
#include "libvirt/agent_bounds.hpp"
#include "libvirt/connection.hpp"
#include "libvirt/outlet.hpp"
#include "libvirt/save_space.hpp"
#include "libvirt/threads.hpp"

namespace guestd::libvirt {

/// A worker without work closes its connection after this: an idle daemon holds one per URI.
inline constexpr Duration kIdleTime = std::chrono::seconds{30};
/// How often the progress of saves is read: each reading occupies a worker of libvirtd.
inline constexpr Duration kProgressInterval = std::chrono::seconds{1};

/// How often the block I/O of guests is read that are to settle: the core judges by seconds.
inline constexpr Duration kIoInterval = std::chrono::seconds{1};

/// Events of pools and networks come at once; this is for those that were lost.
inline constexpr Duration kNeedInterval = std::chrono::seconds{10};

/// Links of autostart flags tell at once; this is for hosts and drivers whose links nobody sees.
inline constexpr Duration kAutostartInterval = std::chrono::seconds{60};

struct UriContext {
    UriContext(UriId number, std::string text, EventSink sink)
        : id(number),
          uri(std::move(text)),
          is_local(core::is_local(uri)),
          outlet(number, std::move(sink)) {}

    const UriId id;
    const std::string uri;
    /// libvirt runs on this host: the files that it speaks of are ours as well.
    const bool is_local;
    bool read_metadata = true;
    Duration idle_time = kIdleTime;
    Duration progress_interval = kProgressInterval;
    Duration io_interval = kIoInterval;
    Duration need_interval = kNeedInterval;
    Duration autostart_interval = kAutostartInterval;
    /// Told before (true) and after (false) each call, on its worker's thread.
    std::function<void(const Call&, bool)> around = [](const Call&, bool) {};
    std::shared_ptr<ThreadGroup> threads;
    std::shared_ptr<SaveSpace> space;
    /// Threads with a connection for calls that libvirtd's ordinary workers serve.
    std::atomic<unsigned> ordinary = 0;
    AgentBounds agent_bounds;
    Outlet outlet;
    /// Since libvirt 11.0 reading a guest's XML waits for whatever job the guest is in.
    std::atomic<bool> xml_waits_for_jobs = false;
    /// Since some release after 9.0 libvirt takes a saved image that it cannot open with O_DIRECT
    /// for restored: seen on 11.3, it says that the guest is up, which it is not, and deletes the
    /// image.
    std::atomic<bool> loses_unopened_image = true;
    /// A driver whose guests cannot be asked by the power button, only in the driver's own way.
    std::atomic<bool> has_no_power_button = false;
    /// A driver that knows of no jobs: nothing can be in the way of a guest.
    std::atomic<bool> has_no_jobs = false;
    /// Connected, subscribed and listed, at first or again.
    std::function<void()> listed = [] {};
    /// A worker has connected: the control thread need not wait out its back-off.
    std::function<void()> answered = [] {};
};

}  // namespace guestd::libvirt
