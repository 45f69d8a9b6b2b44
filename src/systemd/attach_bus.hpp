// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <cstdint>

namespace guestd::systemd {

/// sd_bus_attach_event(3), but no end of the loop waits for the bus: sd-bus would connect first,
/// and write what is queued, however long a bus that hangs takes nothing. Negative errno.
inline int attach_bus(sd_bus* bus, sd_event* event,
                      std::int64_t priority = SD_EVENT_PRIORITY_NORMAL) {
    const int code = sd_bus_set_close_on_exit(bus, 0);
    return code < 0 ? code : sd_bus_attach_event(bus, event, static_cast<int>(priority));
}

}  // namespace guestd::systemd
