// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Turns what the core finds worth telling into journal lines with fields and bus signals.

#include <string>
#include <vector>

#include "guestd/commands.hpp"
#include "systemd/bus_server.hpp"
#include "systemd/log.hpp"

namespace guestd::daemon {

class Announcer {
public:
    /// `bus` may be null.
    Announcer(std::vector<std::string> uris, bus::Server* bus)
        : uris_(std::move(uris)), bus_(bus) {}

    void announce(const Notice& notice, const std::optional<RunRecord>& run);

private:
    std::vector<std::string> uris_;
    bus::Server* bus_;
};

/// One line without a guest.
void log_line(systemd::LogLevel level, std::string_view message_id, std::string message);

}  // namespace guestd::daemon
