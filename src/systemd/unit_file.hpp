// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace guestd::systemd {

/// What `systemctl is-enabled UNIT` says: "enabled", "disabled", "masked", "static" and others.
/// Empty: systemd does not answer. Blocks, for two seconds at most. Does not throw.
std::string unit_file_state(const char* unit);

}  // namespace guestd::systemd
