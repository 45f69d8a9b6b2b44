// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// D-Bus values as JSON: what guestctl works with and, with --json, what it prints. A value of the
/// daemon that this guestctl does not know is shown all the same.

#include <systemd/sd-bus.h>

#include <nlohmann/json.hpp>

namespace guestd::ctl {

using Json = nlohmann::json;

/// The rest of `message`: null for nothing, the value for one, an array for several.
/// Throws Stop when it is not a message that can be read.
Json decode(sd_bus_message* message);

}  // namespace guestd::ctl
