// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "guestd/error.hpp"

namespace guestd::systemd {

/// The kernel's boot id, 32 hexadecimal digits: a TimePoint means something only together with it.
/// A soft reboot keeps it. GUESTD_BOOT_ID of the environment comes first: systemd tells it to
/// guestd.service, whose own view of /proc is not the one that a container manager has given it.
Result<std::string> boot_id();

}  // namespace guestd::systemd
