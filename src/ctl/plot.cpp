// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl plot: a run as a picture.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ctl/context.hpp"
#include "ctl/files.hpp"
#include "ctl/history.hpp"
#include "ctl/show_parts.hpp"
#include "plan/chain.hpp"
#include "plan/plan.hpp"
#include "render/timeline.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using Key = std::pair<std::string, std::string>;

Key key_of(const Json& row) {
    return {text_of(row, "uri"), text_of(row, "uuid")};
}

render::Stretch stretch_of(const Json& span, TimePoint origin) {
    render::Stretch stretch{.what = text_of(span, "what"),
                            .begin = time_of(span, "begin_usec").value_or(origin) - origin,
                            .end = std::nullopt,
                            .note = text_of(span, "note")};
    if (const auto end = time_of(span, "end_usec"))
        stretch.end = *end - origin;
    return stretch;
}

/// Order of the bars: by URI, then by the end of waiting, so that the picture falls like a stair.
auto place_of(const render::TimelineRow& row) {
    Duration first = Duration::max();
    for (const auto& stretch : row.stretches)
        if (stretch.what != "waiting")
            first = std::min(first, stretch.begin);
    return std::tuple{row.group, first, row.name};
}

/// Marks the rows that made the run as long as it was.
void mark_longest_chain(render::Timeline& timeline) {
    plan::Fleet fleet;
    plan::Scenario scenario;
    for (const auto& row : timeline.rows) {
        plan::Way way;
        way.guest = fleet.guests.size();
        for (const auto& part : row.stretches)
            way.stretches.push_back(
                {part.what, part.begin, part.end.value_or(timeline.length), part.note});
        fleet.guests.push_back({.uri = row.group, .name = row.name});
        scenario.ways.push_back(std::move(way));
    }
    plan::find_chain(scenario, fleet);
    for (std::size_t i = 0; i < timeline.rows.size(); ++i)
        timeline.rows[i].critical = scenario.ways[i].critical;
}

render::Timeline timeline_of(const Json& run, const Json& guests, const Json& spans) {
    render::Timeline timeline;
    const TimePoint origin = time_of(run, "started_usec").value_or(TimePoint{});
    const std::string kind = text_of(run, "kind");
    timeline.title =
        fmt::format("{} run {}", kind == "boot" ? "Boot" : "Drain", number_of(run, "run"));
    timeline.subtitle = fmt::format(
        "{} · {} · {} · {}", text_of(run, "trigger"), render::count(guests.size(), "guest"),
        wall_clock(number_of(run, "started_wall_usec")), run_result(run).text);
    // A run that has no end on record, and is not active, was cut off: it is as long as its bars.
    const bool active = text_of(run, "state") == "active";
    timeline.length = time_of(run, "ended_usec").value_or(active ? now() : origin) - origin;
    if (const auto deadline = time_of(run, "deadline_usec"))
        timeline.deadline = *deadline - origin;
    std::map<Key, std::vector<render::Stretch>> stretches;
    for (const auto& span : spans)
        stretches[key_of(span)].push_back(stretch_of(span, origin));
    for (const auto& guest : guests)
        timeline.rows.push_back({.group = text_of(guest, "uri"),
                                 .name = text_of(guest, "name"),
                                 .stretches = stretches[key_of(guest)],
                                 .outcome = text_of(guest, "outcome"),
                                 .cause = text_of(guest, "cause"),
                                 .saved = {number_of(guest, "bytes")}});
    std::sort(timeline.rows.begin(), timeline.rows.end(),
              [](const auto& a, const auto& b) { return place_of(a) < place_of(b); });
    if (!active)  // who is still at work has no end that could be the last
        mark_longest_chain(timeline);
    return timeline;
}

int plot(Context& context, std::uint32_t number, const std::string& path) {
    const Json run = find_run(context.client(), number);
    const auto id = static_cast<std::uint32_t>(number_of(run, "run"));
    const Json guests = context.client().call("RunGuests", {id});
    const Json spans = context.client().call("RunSpans", {id});
    if (context.json) {
        print_json({{"run", run}, {"guests", guests}, {"spans", spans}});
        return kExitOk;
    }
    write_output(path, render::timeline_svg(timeline_of(run, guests, spans)));
    return kExitOk;
}

}  // namespace

void add_plot(CLI::App& app, Context& context) {
    struct Given {
        std::uint32_t run = 0;
        std::string path;
    };
    auto* verb = app.add_subcommand("plot", "Draw a run as SVG, a bar per guest");
    auto given = std::make_shared<Given>();
    verb->add_option("RUN", given->run, "Number of the run; the newest when none is given");
    verb->add_option("-o,--output", given->path, "Write to this file instead of standard output")
        ->option_text("FILE");
    verb->callback([&context, given] {
        context.action = [&context, given] { return plot(context, given->run, given->path); };
    });
}

}  // namespace guestd::ctl
