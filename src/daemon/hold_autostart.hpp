// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// `guestd --hold-autostart`, at boot before the virt daemons: keeps libvirt from starting its
/// autostart guests, which guestd starts throttled and in order.
///
/// libvirt starts them once per boot, all at once, and remembers that by a file, `autostarted` in
/// the driver's folder of /run/libvirt. Making that file first holds it off; the flag itself keeps
/// its meaning. It is made for exactly the local URIs that guestd looks after with
/// `autostart = "throttle"`: nobody else's guests are kept down.

#include "daemon/options.hpp"

namespace guestd::daemon {

/// The exit code. With a configuration that is refused nothing is held off: libvirt starts the
/// guests, and guestd finds them running.
int hold_autostart(const Options& options);

}  // namespace guestd::daemon
