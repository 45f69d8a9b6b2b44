// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl boot: start what should run.

#include "ctl/context.hpp"
#include "ctl/follow.hpp"

namespace guestd::ctl {
namespace {

struct BootOptions {
    Strings globs;
    bool skip = false;
    bool wait = false;
};

int boot(Context& context, const BootOptions& given) {
    Options options;
    if (given.skip)
        options["skip"] = true;
    return command_run(context, "Boot", {given.globs, options}, given.wait);
}

}  // namespace

void add_boot(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("boot", "Bring back guests: a boot run");
    auto given = std::make_shared<BootOptions>();
    verb->add_option("GUEST", given->globs, "Names, UUIDs or globs; all that should run when none");
    verb->add_flag("--skip", given->skip,
                   "Start nothing, keep the resume list, and count this host boot as done");
    verb->add_flag("--wait", given->wait, "Follow the run to its end");
    verb->callback([&context, given] {
        context.action = [&context, given] { return boot(context, *given); };
    });
}

}  // namespace guestd::ctl
