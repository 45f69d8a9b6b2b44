// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The host's systemd, as far as guestctl tells it something.

#include <string>

namespace guestd::ctl {

/// As `systemctl enable` does, with the reload that makes it known. Blocks for seconds at most.
/// Throws Stop.
void enable_unit(const std::string& name);

}  // namespace guestd::ctl
