// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What systemd and logind said, and what follows from it.

#include <optional>
#include <string>
#include <vector>

#include "systemd/going_down.hpp"

namespace guestd::systemd {

struct Evidence {
    std::optional<std::string> system_state;             ///< manager, SystemState
    std::optional<std::vector<std::string>> start_jobs;  ///< manager: units with a start job
    bool preparing = false;                              ///< logind, PreparingForShutdown
    bool logind_told = false;                            ///< that, or there is no logind
    std::string scheduled;                               ///< logind, type of ScheduledShutdown
    std::string problem;                                 ///< why something is missing
};

/// StaysUp needs a complete answer of the manager; GoingDown, one sign.
HostFate judge(const Evidence& evidence);

}  // namespace guestd::systemd
