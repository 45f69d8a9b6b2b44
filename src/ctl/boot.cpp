// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl boot: start what should run.

#include <fmt/format.h>

#include "ctl/context.hpp"
#include "ctl/follow.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

struct BootOptions {
    Strings globs;
    bool skip = false;
    bool wait = false;
};

/// Run 0: there was none to end.
int skip(Context& context) {
    Options options;
    options["skip"] = true;
    const auto run = context.client().command("Boot", {Strings{}, options}).get<std::uint32_t>();
    if (context.json) {
        print_json({{"run", run}, {"skipped", run != 0}});
        return kExitOk;
    }
    if (run == 0) {
        print("No boot run is under way: there is nothing to skip.\n");
        return kExitOk;
    }
    const auto left = context.client().call("ListResumeList").size();
    print(
        fmt::format("Boot run {} was ended: guestd starts no further guest in this boot.\n", run));
    if (left > 0)
        print(render::count(left, "guest") +
              " stay on the resume list; \"guestctl boot\" brings them back.\n");
    return kExitOk;
}

int boot(Context& context, const BootOptions& given) {
    if (given.skip)
        return skip(context);
    return command_run(context,
                       {{RunKind::boot, Trigger::manual, {}}, given.globs, {}, given.wait});
}

}  // namespace

void add_boot(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("boot", "Bring back guests: a boot run");
    auto given = std::make_shared<BootOptions>();
    auto* globs = verb->add_option("GUEST", given->globs,
                                   "Names, UUIDs or globs; all that should run when none");
    auto* wait = verb->add_flag("--wait", given->wait, "Follow the run to its end");
    verb->add_flag("--skip", given->skip,
                   "Safe boot, after the fact: end the boot run that is under way. No further "
                   "guest is started; the resume list is kept")
        ->excludes(globs)
        ->excludes(wait);
    verb->callback([&context, given] {
        context.action = [&context, given] { return boot(context, *given); };
    });
}

}  // namespace guestd::ctl
