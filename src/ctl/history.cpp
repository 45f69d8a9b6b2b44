// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl history: past runs, and how each guest came out of one.

#include "ctl/history.hpp"

#include <fmt/format.h>

#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

constexpr std::uint32_t kUsualRuns = 20;

std::string run_table(const Json& runs, const Terminal& out) {
    render::Table table{{{.title = "RUN", .right = true},
                         {.title = "STARTED"},
                         {.title = "KIND"},
                         {.title = "TRIGGER"},
                         {.title = "GUESTS", .right = true},
                         {.title = "TOOK", .right = true},
                         {.title = "RESULT"},
                         {.title = "NOT CLEAN", .right = true, .drop = 1}}};
    for (const auto& run : runs) {
        const auto unclean = number_of(run, "unclean");
        table.add({{std::to_string(number_of(run, "run"))},
                   {wall_clock(number_of(run, "started_wall_usec"))},
                   {text_of(run, "kind")},
                   {text_of(run, "trigger")},
                   {std::to_string(number_of(run, "guests"))},
                   {run_duration(run)},
                   run_result(run),
                   {unclean > 0 ? std::to_string(unclean) : "", render::Style::bad}});
    }
    return table.empty() ? "There has been no run yet.\n" : table.str(out.layout());
}

std::string outcome_table(const Json& guests, const Terminal& out) {
    render::Table table{{{.title = "GUEST", .shrink = 12},
                         {.title = "OUTCOME"},
                         {.title = "TOOK", .right = true},
                         {.title = "SAVED", .right = true, .drop = 1},
                         {.title = "CAUSE", .shrink = 12}}};
    for (const auto& guest : guests) {
        const std::string outcome = text_of(guest, "outcome");
        const auto saved = number_of(guest, "bytes");
        table.add({{text_of(guest, "name")},
                   {outcome, render::style_of_outcome(outcome)},
                   {run_duration(guest)},
                   {saved > 0 ? render::bytes({saved}) : ""},
                   {text_of(guest, "cause")}});
    }
    return table.empty() ? "No guest had a part in it.\n" : table.str(out.layout());
}

int show_runs(Context& context, std::uint32_t limit) {
    const Json runs = context.client().call("ListRuns", {limit});
    if (context.json)
        print_json(runs);
    else
        print(run_table(runs, terminal()));
    return kExitOk;
}

int show_run(Context& context, std::uint32_t number) {
    const Json run = find_run(context.client(), number);
    const auto id = static_cast<std::uint32_t>(number_of(run, "run"));
    const Json guests = context.client().call("RunGuests", {id});
    if (context.json) {
        print_json({{"run", run}, {"guests", guests}});
        return kExitOk;
    }
    const Terminal out = terminal();
    const auto [result, style] = run_result(run);
    const std::string took = run_duration(run);
    print(fmt::format("Run {}, {}: {}{}\n\n{}", run_title(run),
                      wall_clock(number_of(run, "started_wall_usec")),
                      render::paint(style, result, out.colour), took.empty() ? "" : " in " + took,
                      outcome_table(guests, out)));
    return kExitOk;
}

}  // namespace

Json find_run(Client& client, std::uint32_t number) {
    const Json runs = client.call("ListRuns", {std::uint32_t{number == 0 ? 1U : 0U}});
    for (const auto& run : runs)
        if (number == 0 || number_of(run, "run") == number)
            return run;
    throw Stop{kExitFailure, number == 0 ? std::string{"there has been no run yet"}
                                         : fmt::format("there is no run {}", number)};
}

void add_history(CLI::App& app, Context& context) {
    struct Given {
        std::uint32_t run = 0;
        std::uint32_t limit = kUsualRuns;
    };
    auto* verb = app.add_subcommand("history", "Show past runs, or the guests of one");
    auto given = std::make_shared<Given>();
    verb->add_option("RUN", given->run, "Number of the run");
    verb->add_option("-n,--limit", given->limit, "Show at most this many, usually 20; 0 = all")
        ->option_text("NUMBER");
    verb->callback([&context, given] {
        context.action = [&context, given] {
            return given->run == 0 ? show_runs(context, given->limit)
                                   : show_run(context, given->run);
        };
    });
}

}  // namespace guestd::ctl
