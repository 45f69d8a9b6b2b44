// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "guestd/commands.hpp"

namespace guestd {

/// What the host itself can tell: mounts, paths and units that guests need, whether a guest's
/// service answers, and how hard the host works.
///
/// Called on the loop's thread; no member blocks, however dead a file system or a name server is.
/// Results arrive at the sink, from any thread; one that comes late, for a watch that is over, is
/// dropped by the core.
class HostSensors {
public:
    virtual ~HostSensors() = default;
    /// Needs of the kinds mount, path and unit; probes of the kinds tcp and exec.
    virtual void watch(const Watch& watch) = 0;
    virtual void unwatch(WatchId id) = 0;  ///< of any watch; unknown ones are none of its own
    virtual void watch_host(bool wanted) = 0;
};

}  // namespace guestd
