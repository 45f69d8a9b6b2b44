// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl drain: take guests down as a host shutdown would.

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "ctl/context.hpp"
#include "ctl/follow.hpp"
#include "ctl/triggers.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

struct DrainOptions {
    Strings globs;
    std::string trigger;
    std::string deadline;
    bool wait = false;
    bool yes = false;
};

/// Names that a question shows before it goes on with "and 12 more".
constexpr std::size_t kNamesAsked = 6;

/// Guests with a process, in the words of the bus.
bool runs(const Json& guest) {
    const std::string state = text_of(guest, "state");
    return state != "shut off" && state != "absent";
}

/// True when somebody at the terminal says yes, or there is nothing to stop.
bool confirmed(Context& context, const Strings& globs) {
    const Json guests = context.client().call("ListGuests", {globs});
    std::string names;
    std::size_t running = 0;
    for (const auto& guest : guests) {
        if (!runs(guest) || ++running > kNamesAsked)
            continue;
        names += (names.empty() ? "" : ", ") + render::escape_terminal(text_of(guest, "name"));
    }
    if (running == 0)
        return true;
    if (running > kNamesAsked)
        names += " and " + std::to_string(running - kNamesAsked) + " more";
    // Not to standard output, which may be a file or a program.
    std::fprintf(stderr, "This stops %s: %s.\nGo on? [y/N] ",
                 render::count(running, "running guest").c_str(), names.c_str());
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

int drain(Context& context, const DrainOptions& given) {
    Options options;
    plan::Request request{RunKind::drain, Trigger::manual, {}};
    if (!given.trigger.empty()) {
        options["trigger"] = given.trigger;
        request.trigger = parse_trigger(given.trigger).value_or(Trigger::manual);
    }
    if (!given.deadline.empty()) {
        request.deadline = parse_span("--deadline", given.deadline);
        options["deadline_usec"] = static_cast<std::uint64_t>(request.deadline->count());
    }
    if (!given.yes && terminal().asks && !confirmed(context, given.globs)) {
        throw Stop{kExitFailure, "nothing was stopped"};
    }
    return command_run(context, {request, given.globs, options, given.wait});
}

}  // namespace

void add_drain(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("drain", "Take guests down and remember them: a drain run");
    auto given = std::make_shared<DrainOptions>();
    verb->add_option("GUEST", given->globs, "Names, UUIDs or globs; all that run when none");
    add_trigger(*verb, given->trigger, "Use the settings for this reason");
    verb->add_option("--deadline", given->deadline, "All must be down within this time, as 5min")
        ->option_text("TIME");
    verb->add_flag("--wait", given->wait, "Follow the run to its end");
    verb->add_flag("-y,--yes", given->yes, "Do not ask");
    verb->callback([&context, given] {
        context.action = [&context, given] { return drain(context, *given); };
    });
}

}  // namespace guestd::ctl
