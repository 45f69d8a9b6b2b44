// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The service manager, by sd_notify(3). Without NOTIFY_SOCKET nothing is sent.
///
/// The datagrams are small and the manager's queue holds hundreds; should it be full, sending waits
/// for the manager, as it does for every service of the host.

#include "guestd/ports/supervisor.hpp"

namespace guestd::systemd {

class SystemdSupervisor final : public Supervisor {
public:
    void ready() override;
    /// Must be followed by ready() when the reload is over.
    void reloading() override;
    void stopping() override;
    /// One line, shown by `systemctl status`. Control characters, which could smuggle in other
    /// notifications, are shown as \xNN; a long text is cut.
    void status(const std::string& text) override;
    /// systemd counts from when it gets this, and never shortens the time it gave before.
    void extend_timeout(Duration time) override;
};

}  // namespace guestd::systemd
