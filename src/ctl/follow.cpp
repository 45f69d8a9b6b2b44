// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/follow.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "ctl/forecast.hpp"
#include "ctl/live.hpp"
#include "ctl/signals.hpp"
#include "render/style.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

/// Between two looks at the clock while nothing is heard: seconds on the screen go on counting.
constexpr std::chrono::microseconds kTick = std::chrono::milliseconds{250};

/// What was heard of the run that is followed.
class Follower {
public:
    Follower(Context& context, Forecast forecast) : context_(context), live_(std::move(forecast)) {}

    void hear(const std::string& member, const Json& arguments);
    int follow(std::uint32_t run);

private:
    void act(const std::string& member, const Json& arguments);
    void guest(const GuestSignal& signal);
    int summary() const;

    Context& context_;
    Live live_;
    std::uint32_t run_ = 0;
    bool gone_ = false;
    std::optional<bool> clean_;
    TimePoint started_ = now();
    Json outcomes_ = Json::array();
};

// Signals may overtake the answer that tells which run is ours: the client keeps them until it is
// asked to wait, and that is when the run is known.
void Follower::hear(const std::string& member, const Json& arguments) {
    if (member == Client::kGone)
        gone_ = true;
    else
        act(member, arguments);
}

void Follower::act(const std::string& member, const Json& arguments) {
    if (!arguments.is_array() || arguments.empty() || arguments.at(0) != Json(run_))
        return;
    if (member == "RunEnded")
        clean_ = arguments.at(1).get<bool>();
    else if (member == Client::kGuest)
        guest(guest_signal(arguments));
    else if (member == "Progress" && !context_.json)
        live_.progress(arguments.at(1));
}

void Follower::guest(const GuestSignal& signal) {
    if (signal.what == "done")
        outcomes_.push_back({{"uri", signal.uri},
                             {"uuid", signal.uuid},
                             {"name", signal.name},
                             {"outcome", signal.outcome},
                             {"cause", signal.text}});
    if (!context_.json)
        live_.transition(signal, now() - started_);
}

int Follower::follow(std::uint32_t run) {
    run_ = run;
    while (!clean_ && !gone_) {
        context_.client().wait(kTick);
        if (!context_.json)
            live_.tick();
    }
    live_.end();
    if (!clean_)
        throw Stop{kExitNotConnected,
                   fmt::format("guestd went away; it goes on with run {} when it is back", run)};
    return summary();
}

int Follower::summary() const {
    if (context_.json) {
        print_json({{"run", run_}, {"clean", *clean_}, {"guests", outcomes_}});
        return *clean_ ? kExitOk : kExitUnclean;
    }
    std::map<std::string, std::size_t> counts;
    for (const auto& guest : outcomes_)
        ++counts[text_of(guest, "outcome")];
    std::string text;
    const bool colour = terminal().colour;
    for (const auto& [outcome, number] : counts)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number,
                            render::paint(render::style_of_outcome(outcome),
                                          render::escape_terminal(outcome), colour));
    print(fmt::format("Run {} ended {} in {}{}{}\n", run_,
                      *clean_ ? render::paint(render::Style::good, "clean", colour)
                              : render::paint(render::Style::bad, "not clean", colour),
                      render::duration(now() - started_), text.empty() ? "" : ": ", text));
    return *clean_ ? kExitOk : kExitUnclean;
}

}  // namespace

int command_run(Context& context, const RunCommand& command) {
    Client& client = context.client();
    const bool watched = command.wait && !context.json && terminal().live;
    Follower follower{context,
                      watched ? Forecast::of(context, command.globs, command.request) : Forecast{}};
    if (command.wait)
        client.listen(
            [&](const std::string& member, const Json& values) { follower.hear(member, values); });
    const char* const method = command.request.kind == RunKind::boot ? "Boot" : "Drain";
    const auto run = client.command(method, {command.globs, command.options}).get<std::uint32_t>();
    if (command.wait)
        return follower.follow(run);
    if (context.json)
        print_json({{"run", run}});
    else
        print(fmt::format("Run {} has begun.\n", run));
    return kExitOk;
}

int follow_active_run(Context& context) {
    Follower follower{context, {}};
    context.client().listen(
        [&](const std::string& member, const Json& values) { follower.hear(member, values); });
    const Json status = context.client().call("Status", {});
    if (status.contains("active_run"))
        return follower.follow(static_cast<std::uint32_t>(number_of(status["active_run"], "run")));
    if (context.json)
        print_json({{"run", 0}});
    else
        print("No run is active.\n");
    return kExitOk;
}

}  // namespace guestd::ctl
