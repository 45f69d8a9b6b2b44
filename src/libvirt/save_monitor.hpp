// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Progress of the saves of one URI.
///
/// Has a thread and a connection while a save lasts longer than one interval, none otherwise. A
/// guest whose statistics hang (a stuck monitor) delays the others' progress and nothing else.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "libvirt/connection.hpp"
#include "libvirt/context.hpp"

namespace guestd::libvirt {

class SaveMonitor : public std::enable_shared_from_this<SaveMonitor> {
public:
    explicit SaveMonitor(std::shared_ptr<UriContext> context) : context_(std::move(context)) {}

    // Thread-safe; none blocks.
    void watch(const Uuid& uuid);
    void unwatch(const Uuid& uuid);
    /// A save that somebody else began: watched until it is over.
    void adopt(const Uuid& uuid);
    /// Whether anybody wants to know; yes at first.
    void enable(bool wanted);
    void stop();

private:
    void add(const Uuid& uuid, bool adopted);
    void run();
    void read(Connection& connection, const Uuid& uuid, bool adopted);

    const std::shared_ptr<UriContext> context_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Uuid, bool> watched_;  ///< true = adopted
    bool running_ = false;
    bool enabled_ = true;
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
