// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Events of storage pools, or networks, as long as this lives; declare it after its connection.

#include <libvirt/libvirt.h>

#include <functional>
#include <string>

#include "guestd/policy.hpp"

namespace guestd::libvirt {

class NeedEvents {
public:
    using Callback = std::function<void(const std::string& name)>;

    /// Blocks. `callback` is called on the event thread, with the name of what has changed; never
    /// where the driver has no such events.
    NeedEvents(virConnectPtr connection, NeedKind kind, Callback callback);
    /// Blocks. The callback may be running, and is not called afterwards.
    ~NeedEvents();
    NeedEvents(const NeedEvents&) = delete;
    NeedEvents& operator=(const NeedEvents&) = delete;

private:
    const virConnectPtr connection_;
    const bool pool_;
    int registered_ = -1;
};

}  // namespace guestd::libvirt
