// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Waits for a run and shows its way: a live block on a terminal, else a line per transition.

#include <string>

#include "ctl/context.hpp"
#include "plan/plan.hpp"

namespace guestd::ctl {

/// A command that begins a run.
struct RunCommand {
    plan::Request request;  ///< what it will do, as far as a forecast needs to know
    Strings globs;
    Options options;  ///< of the bus' method
    bool wait = false;
};

/// Listens before it sends the command, so that nothing is missed; then, with `wait`, follows the
/// run to its end. Returns the exit status of the verb: kExitOk, or kExitUnclean.
/// Throws Stop when guestd refuses it, as when a glob matches nobody, and when guestd goes away
/// before the run has ended.
int command_run(Context& context, const RunCommand& command);

/// The same for a run that is under way, whoever began it; at once kExitOk when there is none.
int follow_active_run(Context& context);

}  // namespace guestd::ctl
