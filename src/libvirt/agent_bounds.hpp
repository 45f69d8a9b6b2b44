// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A limit to how long libvirt waits for a guest's agent.
///
/// libvirt's own is none: a command to an agent that died in the middle of it never returns. The
/// limit belongs to the guest, not to the call or the connection, and cannot be read. So it is set
/// for the time of our calls only, and libvirt's default put back after the last of them: whoever
/// freezes file systems for a backup counts on it, and would fail for ever after on a short limit
/// that is left behind. Who has set one of their own loses it; those who do, set it for each call,
/// for the same reasons.

#include <libvirt/libvirt.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

/// Of all guests of one URI. Thread-safe.
class AgentBounds {
public:
    /// One guest's, as long as any of our calls needs it.
    struct Shared {
        std::mutex mutex;
        unsigned users = 0;
    };
    std::shared_ptr<Shared> of(const Uuid& uuid);

private:
    std::mutex mutex_;
    std::map<Uuid, std::weak_ptr<Shared>> guests_;
};

/// While one lives, a command to the guest's agent takes kAgentSeconds at most, and libvirt's
/// asking whether the agent is there five seconds before it (ten, if it is not).
class AgentBound {
public:
    /// Blocks. The domain must outlive it.
    AgentBound(AgentBounds& bounds, virDomainPtr domain);
    /// Blocks.
    ~AgentBound();
    AgentBound(const AgentBound&) = delete;
    AgentBound& operator=(const AgentBound&) = delete;

    /// Set when there is no limit: then nothing must be asked of the agent.
    const std::optional<Fault>& fault() const { return fault_; }

private:
    virDomainPtr domain_;
    std::shared_ptr<AgentBounds::Shared> shared_;
    std::optional<Fault> fault_;
};

}  // namespace guestd::libvirt
