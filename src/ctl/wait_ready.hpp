// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "ctl/context.hpp"

namespace guestd::ctl {

/// `guestctl wait --ready`: until guestd has dealt with these guests (none: all of its boot run) in
/// this host boot. Waits for guestd itself as well, before it is there and while it restarts.
/// Returns kExitOk: all are ready; kExitFailure: at least one is not, and no longer will be;
/// kExitTimeout.
int wait_until_ready(Context& context, const Strings& globs, std::optional<Duration> timeout);

}  // namespace guestd::ctl
