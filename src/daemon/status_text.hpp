// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "guestd/machine.hpp"

namespace guestd::daemon {

/// The line under `systemctl status` and on the console of a host that goes down: how far the run
/// is, who is left and what each does, the time left. `degraded` comes first: it must be seen.
std::string status_text(const Machine& machine, const std::string& degraded, TimePoint now);

}  // namespace guestd::daemon
