// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a guest's agent does for us.
///
/// Each of these asks the agent first whether it is there, which libvirt does for every command,
/// and is bounded (agent_bounds.hpp). Only commands that libvirt has in its API: those that are
/// passed through to the agent as they are mark the guest as tainted.

#include "libvirt/context.hpp"
#include "libvirt/errors.hpp"

namespace guestd::libvirt {

/// To the host's time. Empty when it has been read back, and is right within two seconds. Blocks.
std::optional<Fault> set_time(UriContext& context, virDomainPtr domain);

/// Empty when the agent answers, be it that it refuses the command. Blocks.
std::optional<Fault> ping_agent(UriContext& context, virDomainPtr domain);

}  // namespace guestd::libvirt
