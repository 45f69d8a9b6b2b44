// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// libvirt's drivers that start guests by themselves, and the files by which they do it.
///
/// libvirt starts the guests that are flagged with autostart once per boot, all at once, and
/// remembers that by an empty file, the *marker*. A marker that is there before libvirt is holds
/// libvirt off; the flags keep their meaning. Only the host's own daemons: a remote host's
/// autostart is that host's business.

#include <span>
#include <string>
#include <string_view>

#include "guestd/error.hpp"

namespace guestd::takeover {

struct Driver {
    std::string_view name;    ///< for people
    std::string_view uri;     ///< of the host's own daemon
    std::string_view folder;  ///< below /run/libvirt and /etc/libvirt
};

/// Those that have an autostart pass.
std::span<const Driver> drivers();
/// The driver behind this URI; nullptr: remote, a session's, or without an autostart pass.
const Driver* driver_of(std::string_view uri);

/// `root` stands before every path: "" is the system itself.
std::string marker_of(const Driver& driver, const std::string& root);
/// The folder in which libvirt keeps a link for each flagged guest.
std::string autostart_folder_of(const Driver& driver, const std::string& root);

/// Makes the marker as libvirt does, and its folder where there is none. One that is there stays as
/// it is. Blocks on the disk.
Result<void> make_marker(const Driver& driver, const std::string& root);

}  // namespace guestd::takeover
