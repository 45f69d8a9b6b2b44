// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Storage pools, or networks, of one URI that guests need: whether each is active.
///
/// Events say when to look, and now and then somebody looks anyway. Looking may hang: libvirt
/// locks a pool for as long as its refresh lasts, which is for ever where its server is gone; and
/// so may subscribing, where pools and networks have daemons of their own. So neither is for the
/// control thread. A few readers share the needs, each with a thread and a connection, where events
/// come in as well: one pool that hangs keeps one of them, and the others go on.
/// While libvirt is away nothing is told: what was told last holds until it answers.

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libvirt/context.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

class NeedMonitor : public std::enable_shared_from_this<NeedMonitor> {
public:
    /// `kind` is pool or network.
    NeedMonitor(std::shared_ptr<UriContext> context, NeedKind kind)
        : context_(std::move(context)), kind_(kind) {}

    // Thread-safe; none blocks.
    void watch(WatchId id, const std::string& name);
    void unwatch(WatchId id);
    /// Something may have changed: of this one, or ("") of any.
    void look(const std::string& name);
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    struct Item {
        std::string name;
        Clock::time_point due{};
        bool reading = false;
        bool again = false;  ///< something has happened while it was being read
        std::optional<WatchChanged> told;
    };
    class Line;

    /// So that there is a reader for each that is not being read, as far as there may be.
    void hire();
    void run();
    /// The next that is due, or empty when there is nothing left to do.
    std::optional<WatchId> take(std::unique_lock<std::mutex>& lock);
    void put_back(WatchId id, const std::optional<WatchChanged>& found);

    const std::shared_ptr<UriContext> context_;
    const NeedKind kind_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<WatchId, Item> items_;
    unsigned readers_ = 0;
    unsigned busy_ = 0;  ///< readers that are in libvirt, or stuck there
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
