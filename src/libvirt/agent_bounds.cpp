// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/agent_bounds.hpp"

#include "libvirt/handles.hpp"

namespace guestd::libvirt {

namespace {

/// The commands that we give take milliseconds; a guest that swaps may need seconds.
constexpr int kAgentSeconds = 10;

}  // namespace

std::shared_ptr<AgentBounds::Shared> AgentBounds::of(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    std::erase_if(guests_, [](const auto& each) { return each.second.expired(); });
    auto shared = guests_[uuid].lock();
    if (!shared) {
        shared = std::make_shared<Shared>();
        guests_[uuid] = shared;
    }
    return shared;
}

AgentBound::AgentBound(AgentBounds& bounds, virDomainPtr domain)
    : domain_(domain), shared_(bounds.of(uuid_of(domain))) {
    // Held over the call: a limit that is being taken away must not cross one that is being set.
    const std::lock_guard lock{shared_->mutex};
    if (shared_->users == 0 && virDomainAgentSetResponseTimeout(domain, kAgentSeconds, 0) < 0) {
        const auto fault = last_fault();
        // A driver that does not know it has no agent that could hang.
        if (!is_unsupported(fault)) {
            fault_ = fault;
            return;
        }
    }
    ++shared_->users;
}

AgentBound::~AgentBound() {
    if (fault_) {
        return;
    }
    const std::lock_guard lock{shared_->mutex};
    if (--shared_->users == 0) {
        // Fails where the guest or libvirtd has gone, and what it was set for with it.
        virDomainAgentSetResponseTimeout(domain_, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0);
    }
}

}  // namespace guestd::libvirt
