// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// `guestctl autostart take` and `give`, as far as they are files: who starts the autostart guests
/// is one setting, `[boot] autostart`, and giving it away is a drop-in of ours that says "leave".
///
/// Nothing is changed when that would not have the effect: where something stronger than the
/// drop-in speaks, whoever wrote that has to change it.

#include <string>
#include <vector>

#include "guestd/error.hpp"
#include "takeover/host_facts.hpp"

namespace guestd::takeover {

inline constexpr const char* kDropIn = "/etc/guestd/guestd.toml.d/90-autostart.toml";

/// What was done, a sentence each.
using Done = std::vector<std::string>;

/// From the next boot on libvirt starts its autostart guests. The markers of this boot stay:
/// without them libvirt would, with its daemon's next start, start what has been stopped since.
/// `invalid`: the configuration is refused, or says "throttle" somewhere stronger. Blocks on the
/// disk.
Result<Done> give(const std::string& root = "");

/// guestd starts them: the drop-in is removed, and the markers of this boot are made. Whether the
/// units are enabled is the caller's business. `invalid`: the configuration is refused, or says
/// "leave" by itself. Blocks on the disk.
Result<Done> take(const std::string& root = "");

}  // namespace guestd::takeover
