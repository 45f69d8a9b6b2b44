// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/ladder.hpp"

#include <fmt/format.h>

#include <array>

#include "config/span.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

constexpr auto kActions = std::to_array<std::string_view>(
    {"shutdown", "shutdown:agent", "shutdown:acpi", "save", "destroy", "leave", "migrate:URI"});

tl::unexpected<std::string> wrong(std::string text) {
    return tl::unexpected<std::string>{std::move(text)};
}

tl::expected<Step, std::string> parse_action(std::string_view action) {
    if (action == "shutdown")
        return Step{StepKind::shutdown, ShutdownMode::automatic, kDefaultShutdownTime, {}};
    if (action == "shutdown:agent")
        return Step{StepKind::shutdown, ShutdownMode::agent, kDefaultShutdownTime, {}};
    if (action == "shutdown:acpi")
        return Step{StepKind::shutdown, ShutdownMode::acpi, kDefaultShutdownTime, {}};
    if (action == "save")
        return Step{StepKind::save, ShutdownMode::automatic, kDefaultSaveTime, {}};
    if (action == "destroy")
        return Step{StepKind::destroy, ShutdownMode::automatic, kDefaultDestroyTime, {}};
    if (action == "leave")
        return Step{StepKind::leave, ShutdownMode::automatic, Duration{}, {}};
    constexpr std::string_view kMigrate = "migrate:";
    if (action.starts_with(kMigrate)) {
        const auto uri = action.substr(kMigrate.size());
        if (uri.find("://") == std::string_view::npos)
            return wrong("migrate needs the destination's URI, as in migrate:qemu+ssh://b/system");
        return Step{StepKind::migrate, ShutdownMode::automatic, kDefaultMigrateTime,
                    std::string{uri}};
    }
    return wrong(fmt::format("unknown step {}{}", in_quotes(action), suggestion(action, kActions)));
}

}  // namespace

tl::expected<Step, std::string> parse_step(std::string_view action, std::string_view time) {
    auto step = parse_action(action);
    if (!step || time.empty())
        return step;
    if (step->kind == StepKind::leave)
        return wrong("leave takes no time");
    const auto span = parse_span(time);
    if (!span)
        return wrong(fmt::format("{} is no time: {}", in_quotes(time), span.error()));
    if (*span == Duration{})
        return wrong("a step needs some time");
    step->time = *span;
    return step;
}

tl::expected<Step, std::string> parse_step(std::string_view text) {
    const auto whole = trim(text);
    if (whole.empty())
        return wrong("it is empty");
    const auto blank = std::min(whole.find_first_of(" \t"), whole.size());
    return parse_step(whole.substr(0, blank), trim(whole.substr(blank)));
}

LadderFault check_ladder(const Ladder& ladder) {
    if (ladder.empty())
        return {0, "a ladder needs at least one step"};
    if (ladder.size() > kLongestLadder)
        return {kLongestLadder, fmt::format("more than {} steps", kLongestLadder)};
    for (std::size_t i = 0; i + 1 < ladder.size(); ++i) {
        if (ladder[i].kind == StepKind::leave)
            return {i + 1, "nothing can follow leave"};
        if (ladder[i].kind == StepKind::destroy)
            return {i + 1, "nothing can follow destroy"};
    }
    return {};
}

std::string format_step(const Step& step) {
    const auto with_time = [&](std::string_view action) {
        return fmt::format("{} {}", action, format_span(step.time));
    };
    switch (step.kind) {
        case StepKind::shutdown:
            switch (step.mode) {
                case ShutdownMode::automatic:
                    return with_time("shutdown");
                case ShutdownMode::agent:
                    return with_time("shutdown:agent");
                case ShutdownMode::acpi:
                    return with_time("shutdown:acpi");
            }
            break;
        case StepKind::save:
            return with_time("save");
        case StepKind::destroy:
            return step.time == kDefaultDestroyTime ? "destroy" : with_time("destroy");
        case StepKind::leave:
            return "leave";
        case StepKind::migrate:
            return with_time("migrate:" + step.target);
    }
    return "?";
}

}  // namespace guestd::config
