// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl: shows what guestd knows and passes on what people want. It decides nothing.

#include <clocale>
#include <cstdio>
#include <string>

#include "ctl/context.hpp"
#include "ctl/help.hpp"
#include "render/style.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

void add_verbs(CLI::App& app, Context& context) {
    add_status(app, context);
    add_list(app, context);
    add_show(app, context);
    add_boot(app, context);
    add_drain(app, context);
    add_cancel(app, context);
    add_wait(app, context);
    add_autostart(app, context);
    add_resume_list(app, context);
    add_history(app, context);
    add_plot(app, context);
    add_monitor(app, context);
    add_plan(app, context);
    add_config(app, context);
    add_import(app, context);
    add_metrics(app, context);
}

int complain(Exit status, const std::string& text) {
    std::fprintf(stderr, "guestctl: %s\n", render::escape_terminal(text).c_str());
    return status;
}

int run(int argc, char** argv) {
    Context context;
    CLI::App app{"Look after the guests of this host: bring them back, take them down.",
                 "guestctl"};
    app.formatter(help_formatter());
    app.failure_message(usage_complaint);
    app.set_version_flag("--version", "guestctl " GUESTD_VERSION);
    app.add_flag("--json", context.json, "Print JSON, for programs");
    app.add_flag("--user", context.user_bus, "Talk to the user's own guestd");
    app.footer(
        "Exit status: 0 done, 1 failed, 2 wrong usage, 3 guestd cannot be reached,\n"
        "4 the run that was waited for did not end clean, 5 the time to wait was up.");
    app.require_subcommand(1);
    app.fallthrough();
    add_verbs(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitOk : kExitUsage;
    }
    return context.action();
}

}  // namespace
}  // namespace guestd::ctl

int main(int argc, char** argv) {
    using namespace guestd::ctl;
    // For the character set only: numbers stay as programs expect them.
    std::setlocale(LC_CTYPE, "");
    try {
        return run(argc, argv);
    } catch (const Stop& stop) {
        return complain(stop.status(), stop.what());
    } catch (const std::exception& exception) {
        return complain(kExitFailure, exception.what());
    }
}
