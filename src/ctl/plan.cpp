// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl plan: what a boot or a drain would do, before it happens. Nothing is touched, and
/// guestd need not run: with --fleet everything comes from files.

#include <cstdio>

#include "config/config.hpp"
#include "ctl/context.hpp"
#include "ctl/files.hpp"
#include "ctl/plan_fleet.hpp"
#include "ctl/plan_report.hpp"
#include "ctl/triggers.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

struct PlanOptions {
    std::string kind;
    std::string trigger = "reboot";
    std::string deadline;
    std::string config;
    std::string fleet;
    std::string svg;
};

std::shared_ptr<const config::Config> configuration(const Context& context,
                                                    const std::string& path) {
    const auto sources = path.empty() ? own_sources(context.user_bus) : config::file_source(path);
    auto loaded = config::Config::load(sources);
    if (loaded)
        return *std::move(loaded);
    for (const auto& problem : loaded.error())
        std::fprintf(stderr, "error: %s\n",
                     render::escape_terminal(config::render_problem(problem)).c_str());
    throw Stop{kExitFailure, "nothing can be planned with a configuration that is refused"};
}

void add_findings(plan::Plan& plan, const config::Config& config, const plan::Fleet& fleet) {
    std::vector<GuestFacts> facts;
    for (const auto& guest : fleet.guests)
        facts.push_back({guest.uri, guest.uuid, guest.name, guest.metadata});
    for (const auto& untold : fleet.untold)
        plan.findings.push_back({plan::Weight::warning, "metadata-unknown",
                                 "planned without what their metadata may ask for: " + untold.why,
                                 untold.guests});
    for (const auto& problem : config.unmatched(facts))
        plan.findings.push_back(
            {plan::Weight::warning, "matches-nothing", config::render_problem(problem), {}});
    for (const auto& problem : config.warnings())
        plan.findings.push_back(
            {plan::Weight::warning, "configuration", config::render_problem(problem), {}});
}

int plan_run(Context& context, const PlanOptions& given) {
    const auto config = configuration(context, given.config);
    Planned planned;
    planned.fleet = given.fleet.empty() ? ask_fleet(context.client()) : read_fleet(given.fleet);
    if (planned.fleet.guests.size() > plan::kMostGuests)
        throw Stop{kExitFailure, "these are more guests than can be planned for"};
    planned.request.kind = given.kind == "boot" ? RunKind::boot : RunKind::drain;
    planned.request.trigger = parse_trigger(given.trigger).value_or(Trigger::reboot);
    if (!given.deadline.empty() && planned.request.kind == RunKind::boot)
        throw Stop{kExitUsage, "--deadline is of a drain: see guestctl plan drain"};
    if (!given.deadline.empty())
        planned.request.deadline = parse_span("--deadline", given.deadline);
    planned.plan = plan::make_plan(planned.fleet, config, planned.request);
    add_findings(planned.plan, *config, planned.fleet);
    // What guestd warns of at run time, as two services that both act, is true of a plan as well.
    if (given.fleet.empty())
        for (const auto& warning : context.client().call("Status").value("warnings", Json::array()))
            planned.plan.findings.push_back(
                {plan::Weight::warning, "conflict", warning.get<std::string>(), {}});
    if (!given.svg.empty())
        write_output(given.svg, plan_svg(planned));
    if (context.json)
        print_json(plan_json(planned));
    else if (given.svg.empty())
        print(plan_text(planned, terminal()));
    return late(planned.plan.expected) == 0 ? kExitOk : kExitUnclean;
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
    auto* verb =
        app.add_subcommand("plan", "Show what a boot or a drain would do, without doing it");
    auto given = std::make_shared<PlanOptions>();
    verb->add_option("KIND", given->kind, "drain: the way down; boot: the way up after it")
        ->required()
        ->check(CLI::IsMember({"boot", "drain"}));
    add_trigger(*verb, given->trigger, "Use the settings for this reason");
    verb->add_option("--deadline", given->deadline, "All must be down within this time, as 5min")
        ->option_text("TIME");
    verb->add_option("--config", given->config, "Plan with this file instead of the system's")
        ->option_text("FILE");
    verb->add_option("--fleet", given->fleet,
                     "Plan for the guests in this TOML or JSON file; guestd is not asked")
        ->option_text("FILE");
    verb->add_option("--svg", given->svg, "Draw what is expected into this file; - = the output")
        ->option_text("FILE");
    verb->footer(
        "Examples:\n"
        "  guestctl plan drain --trigger ups\n"
        "  guestctl plan boot --config new.toml --svg boot.svg\n"
        "  guestctl --json list >fleet.json; guestctl plan drain --fleet fleet.json\n"
        "Exit status 4: somebody would not make it, as things are expected to go.");
    verb->callback([&context, given] {
        context.action = [&context, given] { return plan_run(context, *given); };
    });
}

}  // namespace guestd::ctl
