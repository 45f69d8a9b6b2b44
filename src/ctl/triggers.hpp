// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <set>
#include <string>

namespace guestd::ctl {

/// Triggers that a drain can be asked for with.
inline std::set<std::string> triggers_to_ask_for() {
    return {"reboot", "poweroff",    "halt",        "kexec", "soft-reboot",
            "ups",    "maintenance", "session-end", "manual"};
}

}  // namespace guestd::ctl
