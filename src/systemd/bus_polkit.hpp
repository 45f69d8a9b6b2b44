// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Who calls, and who may command guestd.
///
/// root, and the user that guestd runs as, always: also while polkit is not there, as it may not be
/// when a host goes down. Everybody else is judged by polkit, for one action per kind of command
/// (conf/polkit/org.guestd1.policy); somebody may be asked for a password then, if the caller's
/// message allows that. Nothing here waits.

#include <functional>

#include "systemd/bus_call.hpp"

namespace guestd::bus {

/// Action ids are public interface: administrators name them in rules.
namespace actions {
inline constexpr const char* kBoot = "org.guestd1.boot";
inline constexpr const char* kDrain = "org.guestd1.drain";
inline constexpr const char* kCancel = "org.guestd1.cancel";
inline constexpr const char* kChangeResumeList = "org.guestd1.change-resume-list";
inline constexpr const char* kReload = "org.guestd1.reload";
}  // namespace actions

/// Goes on with `then` for anybody, once the call is counted as one of its user's: for calls that
/// wait for something. Later, on the same thread; refuses the call when there are too many.
void when_counted(const Call& call, std::function<void()> then);

/// Goes on with `allowed` when whoever sent the call may do `action`, refuses the call if not;
/// later, on the same thread. `action` must be a literal. Counts the call as `when_counted` does.
/// What was true when the call came may not be any more: `allowed` looks anew.
void if_may_command(const Call& call, const char* action, std::function<void()> allowed);

}  // namespace guestd::bus
