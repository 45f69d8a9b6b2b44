// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// `guestd --user`: a user's own guestd, for the guests of qemu:///session.
///
/// What the boot of the host is for the system's guestd, the start of the user's systemd is for
/// this one: it comes with the first login (for a lingering user with the boot), and goes when the
/// last session has ended. Its sign is that systemd's process: the user's runtime folder outlives
/// it when somebody logs in again while the guests of the last session are still being saved.

#include <string>

#include "daemon/options.hpp"
#include "guestd/error.hpp"

namespace guestd::daemon {

/// Folders, by the XDG base directory rules. Empty: the environment tells none.
struct UserFolders {
    std::string config;
    std::string state;
    std::string runtime;
};
UserFolders user_folders();

/// Before anything else: makes the folders and, in a new session, notes that it is one and keeps
/// libvirt from starting its autostart guests itself. Blocks on the disk.
Result<void> begin_user_session(const Options& options);

}  // namespace guestd::daemon
