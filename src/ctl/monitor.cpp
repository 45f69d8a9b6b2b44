// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl monitor: what happens, as it happens, until it is interrupted or guestd goes away.

#include <fmt/format.h>

#include "ctl/context.hpp"
#include "ctl/signals.hpp"
#include "render/style.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

/// How long one wait for the bus may take; nothing depends on it.
constexpr std::chrono::microseconds kNap = std::chrono::seconds{10};

void print_line(const Json& json) {
    print(json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n");
}

std::string line_of(const std::string& member, const Json& arguments, bool colour) {
    if (member == "RunStarted")
        return fmt::format("run {} started: {} ({})", arguments.at(0).get<std::uint32_t>(),
                           arguments.at(1).get<std::string>(), arguments.at(2).get<std::string>());
    if (member == "RunEnded")
        return fmt::format("run {} ended {}", arguments.at(0).get<std::uint32_t>(),
                           arguments.at(1).get<bool>() ? "clean" : "not clean");
    if (member == Client::kGuest)
        return transition_line(guest_signal(arguments), colour);
    return {};
}

int monitor(Context& context) {
    const bool colour = terminal().colour;
    bool gone = false;
    context.client().listen([&](const std::string& member, const Json& arguments) {
        gone = gone || member == Client::kGone;
        if (context.json) {
            print_line({{"signal", member}, {"arguments", arguments}});
            return;
        }
        const std::string line = line_of(member, arguments, colour);
        if (!line.empty())
            print(wall_clock_now() + " " + line + "\n");
    });
    // Says at once, and not only by silence, when there is no guestd to listen to.
    context.client().call("Status");
    while (!gone)
        context.client().wait(kNap);
    throw Stop{kExitNotConnected, "guestd went away"};
}

}  // namespace

void add_monitor(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("monitor", "Show what happens, as it happens");
    verb->callback([&context] { context.action = [&context] { return monitor(context); }; });
}

}  // namespace guestd::ctl
