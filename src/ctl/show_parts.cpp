// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/show_parts.hpp"

#include <fmt/format.h>

#include <set>

#include "ctl/context.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using render::Cell;
using render::Style;

/// "shutdown", or the outcome once there is one.
Cell doing(const Json& guest) {
    const std::string outcome = text_of(guest, "outcome");
    if (!outcome.empty() && outcome != "pending")
        return {outcome, render::style_of_outcome(outcome)};
    const std::string phase = text_of(guest, "phase");
    return {phase, render::style_of_phase(phase)};
}

Cell yes(bool value) {
    return value ? Cell{"yes", Style::plain} : Cell{"-", Style::dim};
}

}  // namespace

std::string guest_detail(const Json& guest) {
    const auto done = number_of(guest, "bytes_done");
    const auto total = number_of(guest, "bytes_total");
    if (text_of(guest, "phase") == "save" && total > 0)
        return render::bytes({done}) + " of " + render::bytes({total});
    const std::string held = text_of(guest, "held_for");
    if (!held.empty())
        return (text_of(guest, "phase") == "settling" ? "waits for " : "held for ") + held;
    if (std::string answer = text_of(guest, "answer"); !answer.empty())
        return answer;
    if (std::string cause = text_of(guest, "cause"); !cause.empty())
        return cause;
    const auto attempts = number_of(guest, "attempts");
    return attempts > 1 ? render::count(attempts, "attempt") : "";
}

std::string guest_table(const Json& guests, const Terminal& terminal) {
    render::Table table{{{.title = "GUEST", .shrink = 8},
                         {.title = "STATE"},
                         {.title = "RUN"},
                         {.title = "FOR", .right = true},
                         {.title = "AUTOSTART", .drop = 2},
                         {.title = "SAVED", .drop = 1},
                         {.title = "URI", .shrink = 10, .drop = 3},
                         {.title = "DETAIL", .shrink = 8}}};
    std::set<std::string> uris;
    for (const auto& guest : guests)
        uris.insert(text_of(guest, "uri"));
    for (const auto& guest : guests) {
        const std::string state = text_of(guest, "state");
        const bool has_phase = guest.contains("phase");
        table.add({{text_of(guest, "name")},
                   {state, render::style_of_state(state)},
                   doing(guest),
                   {has_phase ? elapsed_since(time_of(guest, "since_usec")) : ""},
                   yes(flag_of(guest, "autostart")),
                   yes(flag_of(guest, "managed_save")),
                   {uris.size() > 1 ? text_of(guest, "uri") : "", Style::dim},
                   {guest_detail(guest)}});
    }
    return table.str(terminal.layout());
}

std::string settings_table(const Json& settings, const Terminal& out) {
    render::Table table{{{.title = "SETTING"},
                         {.title = "VALUE", .shrink = 12},
                         {.title = "COMES FROM", .shrink = 12}}};
    for (const auto& setting : settings) {
        const std::string origin = text_of(setting, "origin");
        const auto style = origin == "built-in" ? Style::dim : Style::plain;
        table.add({{text_of(setting, "key")}, {text_of(setting, "value")}, {origin, style}});
    }
    return table.str(out.layout());
}

std::string run_title(const Json& run) {
    return fmt::format("{}: {} ({})", number_of(run, "run"), text_of(run, "kind"),
                       text_of(run, "trigger"));
}

std::string run_counts(const Json& run) {
    const auto guests = number_of(run, "guests");
    std::string text =
        fmt::format("{} of {} done", number_of(run, "done"), render::count(guests, "guest"));
    if (const auto unclean = number_of(run, "unclean"); unclean > 0)
        text += fmt::format(", {} not clean", unclean);
    return text;
}

Cell run_result(const Json& run) {
    const std::string state = text_of(run, "state");
    if (state == "active")
        return {state, Style::busy};
    if (state != "finished")
        return {state, Style::warn};
    return flag_of(run, "clean") ? Cell{"clean", Style::good} : Cell{"not clean", Style::bad};
}

std::string run_duration(const Json& run) {
    const auto begin = time_of(run, "started_usec");
    const auto end = time_of(run, "ended_usec");
    return begin && end ? render::duration(*end - *begin) : "";
}

}  // namespace guestd::ctl
