// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl cancel: end a run before its time.

#include <fmt/format.h>

#include "ctl/context.hpp"

namespace guestd::ctl {
namespace {

int cancel(Context& context, std::uint32_t run) {
    const Json cancelled = context.client().command("Cancel", {run});
    const bool done = cancelled.is_boolean() && cancelled.get<bool>();
    if (context.json)
        print_json({{"cancelled", done}});
    else if (done)
        print("The run was cancelled.\n");
    else
        print(run == 0 ? "No run is active.\n" : fmt::format("Run {} is not active.\n", run));
    return done ? kExitOk : kExitFailure;
}

}  // namespace

void add_cancel(CLI::App& app, Context& context) {
    auto* verb =
        app.add_subcommand("cancel", "End a run; a cancelled drain brings back what it stopped");
    auto run = std::make_shared<std::uint32_t>(0);
    verb->add_option("RUN", *run, "Number of the run; the active one when none is given");
    verb->callback(
        [&context, run] { context.action = [&context, run] { return cancel(context, *run); }; });
}

}  // namespace guestd::ctl
