// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl wait: until the active run has ended, or until guests are ready.

#include "ctl/context.hpp"
#include "ctl/follow.hpp"
#include "ctl/wait_ready.hpp"

namespace guestd::ctl {
namespace {

struct WaitOptions {
    Strings globs;
    bool ready = false;
    std::string timeout;
};

int wait(Context& context, const WaitOptions& given) {
    if (!given.ready)
        return follow_active_run(context);
    return wait_until_ready(context, given.globs,
                            given.timeout.empty()
                                ? std::nullopt
                                : std::optional{parse_span("--timeout", given.timeout)});
}

}  // namespace

void add_wait(CLI::App& app, Context& context) {
    auto* verb =
        app.add_subcommand("wait", "Follow the active run to its end, or wait for ready guests");
    auto given = std::make_shared<WaitOptions>();
    auto* ready = verb->add_flag(
        "--ready", given->ready,
        "Wait until the boot run has dealt with these guests (all without names) and they are "
        "ready; also for guestd itself");
    verb->add_option("GUEST", given->globs, "With --ready: names, UUIDs or globs")->needs(ready);
    verb->add_option("--timeout", given->timeout, "With --ready: no longer than this, as 5min")
        ->option_text("TIME")
        ->needs(ready);
    verb->footer(
        "With --ready: exit status 0, all are ready; 1, one failed or will not be started\n"
        "(named on standard error, with the cause); 5, the time was up first.");
    verb->callback([&context, given] {
        context.action = [&context, given] { return wait(context, *given); };
    });
}

}  // namespace guestd::ctl
