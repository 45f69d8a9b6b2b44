// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// guestd.service has no network unless the configuration needs it: guestd-generator looks at that
/// whenever systemd loads its units. What it could not see is said here, with the way out.

#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/options.hpp"
#include "guestd/machine.hpp"

namespace guestd::daemon {

/// Whether the sandbox of this process lets it have sockets of IPv4. Asks the kernel; no blocking.
bool has_network();

/// What the configuration needs the network for, if there is none. At most one.
std::vector<std::string> network_warnings(const config::Config& config, const Options& options);

/// The same of the known guests' metadata. At most one, however many guests.
std::vector<std::string> network_warnings(const config::Config& config, const Machine& machine);

}  // namespace guestd::daemon
