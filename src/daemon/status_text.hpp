// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "guestd/machine.hpp"

namespace guestd::daemon {

/// The line under `systemctl status` and on the console of a host that goes down: how far the run
/// is, who is left and what each does, the time left. `degraded` comes first: it must be seen.
std::string status_text(const Machine& machine, const std::string& degraded, TimePoint now);

/// Who is still to be brought up or down: first who is at it, longest first, then who only waits.
std::vector<GuestProgress> guests_left(const Machine& machine);

}  // namespace guestd::daemon
