// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl wait: until the active run has ended.

#include "ctl/context.hpp"
#include "ctl/follow.hpp"

namespace guestd::ctl {

void add_wait(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("wait", "Follow the active run to its end");
    verb->callback(
        [&context] { context.action = [&context] { return follow_active_run(context); }; });
}

}  // namespace guestd::ctl
