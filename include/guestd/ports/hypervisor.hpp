// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>

#include "guestd/commands.hpp"
#include "guestd/events.hpp"

namespace guestd {

/// Where adapters put what they have to tell the core. Thread-safe, never blocks, never throws.
using EventSink = std::function<void(Event)>;

/// The way to libvirt. Connects by itself to every URI and stays connected, telling the sink with
/// InventoryListed and UriLost, and finds out by itself when an autostart flag has changed.
///
/// Called on the loop's thread; no member blocks. Results arrive at the sink, from any thread.
class Hypervisor {
public:
    virtual ~Hypervisor() = default;
    virtual void submit(const Call& call) = 0;
    virtual void abandon(const AbandonCall& call) = 0;
    virtual void list_autostart(const ListAutostart& command) = 0;
    /// Needs of the kinds pool and network; probes of the kind io-settle.
    virtual void watch(const Watch& watch) = 0;
    virtual void unwatch(WatchId id) = 0;  ///< of any watch; unknown ones are none of its own
};

}  // namespace guestd
