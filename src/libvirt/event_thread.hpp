// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The one thread that runs libvirt's event loop: domain events, keepalive, close notices.
///
/// The loop must be registered before the first connection is opened (later registration gives no
/// events and no error) and must run as long as any connection lives, so it starts with the first
/// user and ends with the process. Callbacks on it copy and post; they never call libvirtd.

#include <atomic>
#include <thread>

namespace guestd::libvirt {

class EventThread {
public:
    /// Starts the loop on first use; throws std::system_error when there is no thread for it.
    static EventThread& instance();

    EventThread(const EventThread&) = delete;
    EventThread& operator=(const EventThread&) = delete;

private:
    EventThread();
    /// Only in an orderly exit of the process. The loop's callbacks do not block, so neither does
    /// this.
    ~EventThread();
    void run() noexcept;

    std::atomic<bool> stopping_ = false;
    int wake_timer_ = -1;
    std::thread thread_;
};

}  // namespace guestd::libvirt
