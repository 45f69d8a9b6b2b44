// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// `guestd --finish-drain`: what guestd-finish.service does when it is stopped, which is after
/// guestd.service has.
///
/// systemd restarts nothing that is to stop. A guestd that was killed, hung or crashed while the
/// host goes down, or was between two of its lives, leaves guests that nobody would stop. Their
/// drain is finished here with its own deadlines, or made where none had begun. Nothing is touched
/// when the host stays up, or when the drain has ended.

#include "daemon/options.hpp"
#include "guestd/error.hpp"

namespace guestd::daemon {

/// The exit code. Blocks until the drain is over.
Result<int> finish_drain(const Options& options);

}  // namespace guestd::daemon
