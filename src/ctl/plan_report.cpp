// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "render/text.hpp"
#include "render/timeline.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using namespace std::chrono_literals;
using plan::Scenario;
using plan::Stretch;
using plan::Way;
using render::Style;

/// Late guests that are named one by one.
constexpr std::size_t kLateTold = 20;

const plan::Guest& guest_of(const Planned& planned, const Way& way) {
    return planned.fleet.guests[way.guest];
}

/// Calls and events take the simulator milliseconds, which are nobody's business.
std::string rounded(Duration time) {
    return render::duration((time + 50ms) / 100ms * 100ms);
}

std::string word(const Stretch& stretch) {
    return stretch.what == "settling" ? "until ready" : stretch.what;
}

/// What would be rounded to nothing is no step worth a word.
constexpr Duration kLeastTold = 50ms;

/// "starting 1s, until ready 20s"; waiting is not part of the way, it is before its begin.
std::string steps(const Way& way) {
    std::string text;
    for (const auto& stretch : way.stretches)
        if (stretch.end - stretch.begin >= kLeastTold &&
            (stretch.what != "waiting" || stretch.begin > way.begin()))
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", word(stretch),
                                rounded(stretch.end - stretch.begin));
    return text;
}

std::string title(const Planned& planned) {
    const auto& request = planned.request;
    return request.kind == RunKind::boot ? "Boot"
                                         : fmt::format("Drain ({})", to_string(request.trigger));
}

std::string length(const Scenario& scenario) {
    return scenario.ended ? rounded(scenario.length) : "no end";
}

std::string headline(const Planned& planned) {
    const auto& plan = planned.plan;
    std::string text = fmt::format("{} of {}: {} expected, {} at worst", title(planned),
                                   render::count(plan.expected.ways.size(), "guest"),
                                   length(plan.expected), length(plan.worst));
    if (plan.expected.deadline)
        text += ", deadline " + render::duration(*plan.expected.deadline);
    return text + "\n";
}

std::string table(const Planned& planned, const Terminal& out) {
    render::Table table{{{.title = "GUEST", .shrink = 10},
                         {.title = "BEGINS", .right = true},
                         {.title = "STEPS", .shrink = 16},
                         {.title = "ENDS", .right = true},
                         {.title = "OUTCOME"},
                         {.title = "AT WORST", .shrink = 10, .drop = 1},
                         {.title = "URI", .shrink = 10, .drop = 2}}};
    std::unordered_map<std::size_t, const Way*> worst;
    for (const auto& way : planned.plan.worst.ways)
        worst[way.guest] = &way;
    std::set<std::string> uris;
    for (const auto& guest : planned.fleet.guests)
        uris.insert(guest.uri);
    for (const auto& way : planned.plan.expected.ways) {
        const auto& guest = guest_of(planned, way);
        const std::string outcome{to_string(way.outcome)};
        const auto bad = worst.find(way.guest);
        table.add({{guest.name, way.critical ? Style::bold : Style::plain},
                   {rounded(way.begin())},
                   {steps(way)},
                   {rounded(way.end())},
                   {outcome, way.late ? Style::bad : render::style_of_outcome(outcome)},
                   {bad == worst.end()
                        ? ""
                        : fmt::format("{}, {}", rounded(std::max(bad->second->end(), way.end())),
                                      to_string(bad->second->outcome))},
                   {uris.size() > 1 ? guest.uri : "", Style::dim}});
    }
    return table.empty() ? "" : "\n" + table.str(out.layout());
}

/// The longest stretch on the chain: what is worth being made quicker.
std::pair<const Way*, const Stretch*> bottleneck(const Scenario& scenario) {
    std::pair<const Way*, const Stretch*> longest{nullptr, nullptr};
    for (const auto& link : scenario.chain)
        for (const auto& stretch : scenario.ways[link.way].stretches)
            if (stretch.what != "waiting" &&
                (longest.second == nullptr ||
                 stretch.end - stretch.begin > longest.second->end - longest.second->begin))
                longest = {&scenario.ways[link.way], &stretch};
    return longest;
}

std::string chain_text(const Planned& planned) {
    const auto& scenario = planned.plan.expected;
    if (scenario.chain.empty())
        return "";
    std::string text = "\nLongest chain:\n";
    for (const auto& link : scenario.chain) {
        const auto& way = scenario.ways[link.way];
        text += fmt::format("  {}  {}, {}\n", render::pad(rounded(way.begin()), 9, true),
                            render::escape_terminal(guest_of(planned, way).name),
                            render::escape_terminal(link.why));
    }
    if (const auto [way, stretch] = bottleneck(scenario); stretch != nullptr)
        text += fmt::format("Most of it: {} of {}, {}\n", word(*stretch),
                            render::escape_terminal(guest_of(planned, *way).name),
                            rounded(stretch->end - stretch->begin));
    return text;
}

std::string late_text(const Planned& planned, const Scenario& scenario, const char* when,
                      const Terminal& out) {
    const std::size_t all = late(scenario);
    if (all == 0)
        return "";
    std::string text =
        "\n" + render::paint(Style::bad, fmt::format("Would not make it, {}:", when), out.colour) +
        "\n";
    std::size_t told = 0;
    for (const auto& way : scenario.ways)
        if (way.late && ++told <= kLateTold)
            text += fmt::format("  {}: {}\n", render::escape_terminal(guest_of(planned, way).name),
                                render::escape_terminal(way.late_because));
    if (told > kLateTold)
        text += fmt::format("  and {} more\n", told - kLateTold);
    return text;
}

std::string findings_text(const Planned& planned, const Terminal& out) {
    std::string text;
    for (const auto& finding : planned.plan.findings) {
        const bool warning = finding.weight == plan::Weight::warning;
        const std::string head = warning ? "warning:" : "note:";
        text += text.empty() ? "\n" : "";
        text += render::hanging(
            render::paint(warning ? Style::warn : Style::dim, head, out.colour) + " ",
            head.size() + 1, render::escape_terminal(finding.text), out.width);
    }
    return text;
}

Json way_json(const Planned& planned, const Way& way) {
    const auto& guest = guest_of(planned, way);
    Json stretches = Json::array();
    for (const auto& stretch : way.stretches)
        stretches.push_back({{"what", stretch.what},
                             {"begin_usec", stretch.begin.count()},
                             {"end_usec", stretch.end.count()},
                             {"note", stretch.note}});
    return {{"uri", guest.uri},
            {"uuid", guest.uuid.str()},
            {"name", guest.name},
            {"begin_usec", way.begin().count()},
            {"end_usec", way.end().count()},
            {"outcome", to_string(way.outcome)},
            {"cause", way.cause},
            {"late", way.late},
            {"late_because", way.late_because},
            {"critical", way.critical},
            {"stretches", stretches}};
}

Json scenario_json(const Planned& planned, const Scenario& scenario) {
    Json guests = Json::array();
    for (const auto& way : scenario.ways)
        guests.push_back(way_json(planned, way));
    Json chain = Json::array();
    for (const auto& link : scenario.chain) {
        const auto& guest = guest_of(planned, scenario.ways[link.way]);
        chain.push_back({{"uri", guest.uri},
                         {"uuid", guest.uuid.str()},
                         {"name", guest.name},
                         {"why", link.why}});
    }
    Json json = {{"ended", scenario.ended},
                 {"length_usec", scenario.length.count()},
                 {"late", late(scenario)},
                 {"guests", guests},
                 {"chain", chain}};
    if (scenario.deadline)
        json["deadline_usec"] = scenario.deadline->count();
    if (const auto [way, stretch] = bottleneck(scenario); stretch != nullptr)
        json["bottleneck"] = {{"name", guest_of(planned, *way).name},
                              {"what", stretch->what},
                              {"usec", (stretch->end - stretch->begin).count()}};
    return json;
}

}  // namespace

std::size_t late(const Scenario& scenario) {
    return static_cast<std::size_t>(std::ranges::count_if(scenario.ways, &Way::late));
}

std::string plan_text(const Planned& planned, const Terminal& out) {
    return headline(planned) + table(planned, out) + chain_text(planned) +
           late_text(planned, planned.plan.expected, "as things are expected to go", out) +
           late_text(planned, planned.plan.worst, "at worst", out) + findings_text(planned, out);
}

Json plan_json(const Planned& planned) {
    Json findings = Json::array();
    for (const auto& finding : planned.plan.findings)
        findings.push_back(
            {{"weight", finding.weight == plan::Weight::warning ? "warning" : "note"},
             {"code", finding.code},
             {"text", finding.text},
             {"guests", finding.guests}});
    return {{"kind", to_string(planned.request.kind)},
            {"trigger", to_string(planned.request.trigger)},
            {"expected", scenario_json(planned, planned.plan.expected)},
            {"worst", scenario_json(planned, planned.plan.worst)},
            {"findings", findings}};
}

std::string plan_svg(const Planned& planned) {
    const auto& scenario = planned.plan.expected;
    render::Timeline timeline{.title = "Plan: " + title(planned),
                              .subtitle = fmt::format("{} · {} expected · {} at worst",
                                                      render::count(scenario.ways.size(), "guest"),
                                                      length(scenario), length(planned.plan.worst)),
                              .length = scenario.length,
                              .deadline = scenario.deadline,
                              .rows = {}};
    for (const auto& way : scenario.ways) {
        render::TimelineRow row{.group = guest_of(planned, way).uri,
                                .name = guest_of(planned, way).name,
                                .stretches = {},
                                .outcome = std::string{to_string(way.outcome)},
                                .cause = way.late ? way.late_because : way.cause,
                                .critical = way.critical};
        for (const auto& stretch : way.stretches)
            row.stretches.push_back({stretch.what, stretch.begin, stretch.end, stretch.note});
        timeline.rows.push_back(std::move(row));
    }
    std::ranges::stable_sort(timeline.rows, {}, &render::TimelineRow::group);
    return render::timeline_svg(timeline);
}

}  // namespace guestd::ctl
