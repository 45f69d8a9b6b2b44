// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// polkit's agent for terminals: asks the person at this one for a password while the object lives.
///
/// It stands back where the session has an agent of its own, as desktops do. Without polkit on this
/// host the object does nothing: whoever needs a password is refused then, and told so.

#include <sys/types.h>

namespace guestd::ctl {

class TerminalAgent {
public:
    /// Returns when polkit knows the agent, or when it does not come.
    TerminalAgent();
    ~TerminalAgent();
    TerminalAgent(const TerminalAgent&) = delete;
    TerminalAgent& operator=(const TerminalAgent&) = delete;

private:
    pid_t pid_ = -1;
};

}  // namespace guestd::ctl
