// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "config/span.hpp"
#include "plan/rehearsal.hpp"

namespace guestd::plan {
namespace {

/// Names that a text gives before it goes on with "and 12 more".
constexpr std::size_t kNamesTold = 3;

std::string told(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNamesTold); ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > kNamesTold)
        text += fmt::format(" and {} more", names.size() - kNamesTold);
    return text;
}

/// The time that a guest is given before it is killed, or left alone.
Duration patience(const Ladder& ladder) {
    Duration sum{};
    for (const auto& step : ladder)
        if (step.kind != StepKind::destroy)
            sum += step.time;
    return sum;
}

class Linter {
public:
    Linter(const Fleet& fleet, const Policies& policies, const Request& request,
           const Scenario& expected)
        : fleet_(fleet), policies_(policies), request_(request), expected_(expected) {}

    std::vector<Finding> run() {
        const bool boot = request_.kind == RunKind::boot;
        for (const auto& members : by_uri(fleet_)) {
            if (boot)
                required_guests_that_stay_down(members);
            else
                ladders_over_deadline(members);
            cycles(members);
            if (boot)
                parallel_limit(fleet_.guests[members.front()].uri);
        }
        if (boot)
            gates();
        else
            ladders_without_end();
        assumptions();
        return std::move(findings_);
    }

private:
    const std::string& name(std::size_t guest) const { return fleet_.guests[guest].name; }

    void find(Weight weight, const char* code, std::vector<std::string> guests, std::string text) {
        findings_.push_back({weight, code, std::move(text), std::move(guests)});
    }

    /// Names of the guests of the run for which `wrong` holds.
    template <class Wrong>
    std::vector<std::string> guests_that(Wrong wrong) const {
        return ways_that([&](const Way& way) { return wrong(way.guest); });
    }
    template <class Wrong>
    std::vector<std::string> ways_that(Wrong wrong) const {
        std::vector<std::string> names;
        for (const auto& way : expected_.ways)
            if (wrong(way))
                names.push_back(name(way.guest));
        return names;
    }

    void ladders_over_deadline(const std::vector<std::size_t>& members) {
        const auto& uri = fleet_.guests[members.front()].uri;
        const auto deadline =
            request_.deadline.value_or(policies_.source->uri(uri, request_.trigger).deadline);
        std::map<Duration, std::vector<std::string>> over;
        for (const auto i : members)
            if (const auto time = patience(policies_.drain[i].stop.stop);
                is_active(fleet_.guests[i].state) && time > deadline)
                over[time].push_back(name(i));
        for (auto& [time, names] : over)
            find(Weight::warning, "ladder-over-deadline", names,
                 fmt::format("the stop steps of {} add up to {}, but the deadline of {} is {}: "
                             "each step gets less than it asks for",
                             told(names), config::format_span(time), uri,
                             config::format_span(deadline)));
        chain_over_deadline(members, uri, deadline);
    }

    void chain_over_deadline(const std::vector<std::size_t>& members, const std::string& uri,
                             Duration deadline);
    void required_guests_that_stay_down(const std::vector<std::size_t>& members);
    void assumptions();

    void cycles(const std::vector<std::size_t>& members) {
        for (const auto& cycle : order_of(fleet_, policies_.of(request_.kind), members).cycles)
            find(Weight::warning, "order-cycle", {},
                 fmt::format("guests wait for each other in a circle, which is cut: {}", cycle));
    }

    void ladders_without_end() {
        auto names = guests_that([&](std::size_t i) {
            const auto& ladder = policies_.drain[i].stop.stop;
            return !ladder.empty() && ladder.back().kind != StepKind::destroy &&
                   ladder.back().kind != StepKind::leave;
        });
        if (!names.empty())
            find(Weight::note, "no-last-step", names,
                 fmt::format("the stop steps of {} do not end with destroy or leave: when all of "
                             "them fail, the host's shutdown kills the guest",
                             told(names)));
    }

    void gates() {
        auto names =
            guests_that([&](std::size_t i) { return !policies_.boot[i].start.needs.empty(); });
        if (!names.empty())
            find(Weight::note, "gates-assumed", names,
                 fmt::format("what {} needs (start.needs) is taken to be there in time",
                             told(names)));
    }

    void parallel_limit(const std::string& uri) {
        const auto policy = policies_.source->uri(uri, std::nullopt);
        if (policy.adaptive_parallel)
            find(Weight::note, "parallel-auto", {},
                 fmt::format("boot.max_parallel of {} is \"auto\": planned with {} at a time", uri,
                             policy.max_parallel));
    }

    const Fleet& fleet_;
    const Policies& policies_;
    const Request& request_;
    const Scenario& expected_;
    std::vector<Finding> findings_;
};

/// Guests that stop one after the other need the sum of their ladders, at worst.
void Linter::chain_over_deadline(const std::vector<std::size_t>& members, const std::string& uri,
                                 Duration deadline) {
    std::vector<std::size_t> active;
    std::ranges::copy_if(members, std::back_inserter(active),
                         [&](std::size_t i) { return is_active(fleet_.guests[i].state); });
    if (active.empty())
        return;
    const auto order = order_of(fleet_, policies_.drain, active);
    std::vector<std::size_t> sorted(active.size());
    std::iota(sorted.begin(), sorted.end(), std::size_t{0});
    std::ranges::sort(sorted, {}, [&](std::size_t i) { return order.depth[i]; });
    std::vector<Duration> longest(active.size());
    std::vector<std::optional<std::size_t>> below(active.size());
    for (const auto i : sorted) {
        for (const auto& edge : order.needs[i])
            if (longest[edge.to] > longest[i]) {
                longest[i] = longest[edge.to];
                below[i] = edge.to;
            }
        longest[i] += patience(policies_.drain[active[i]].stop.stop);
    }
    const auto worst = std::ranges::max_element(longest);
    const auto top = static_cast<std::size_t>(worst - longest.begin());
    if (*worst <= deadline || !below[top])
        return;
    std::vector<std::string> names;
    for (auto at = std::optional{top}; at; at = below[*at])
        names.push_back(name(active[*at]));
    find(Weight::warning, "chain-over-deadline", names,
         fmt::format("{} stop one after the other, and their steps add up to {}; the deadline of "
                     "{} is {}, which they share by tier",
                     told(names), config::format_span(*worst), uri, config::format_span(deadline)));
}

void Linter::required_guests_that_stay_down(const std::vector<std::size_t>& members) {
    std::vector<bool> starts(fleet_.guests.size());
    for (const auto& way : expected_.ways)
        starts[way.guest] = true;
    const auto order = order_of(fleet_, policies_.boot, members);
    std::map<std::size_t, std::vector<std::string>> missing;
    for (std::size_t i = 0; i < members.size(); ++i)
        for (const auto& edge : order.needs[i])
            if (edge.hard && starts[members[i]] && !starts[members[edge.to]])
                missing[members[edge.to]].push_back(name(members[i]));
    for (auto& [needed, names] : missing)
        find(Weight::warning, "required-stays-down", names,
             fmt::format("{}, required by {}, does not start at boot: it is neither running, nor "
                         "on the resume list, nor an autostart guest",
                         name(needed), told(names)));
}

void Linter::assumptions() {
    const auto note = [&](const char* code, const std::vector<std::string>& names,
                          const std::string& what) {
        if (!names.empty())
            find(Weight::note, code, names,
                 fmt::format("{} is assumed for {}: nobody has measured or declared it", what,
                             told(names)));
    };
    const auto& guests = fleet_.guests;
    if (request_.kind == RunKind::drain)
        note("shutdown-time-assumed", ways_that([&](const Way& way) {
                 return way.has("shutdown") && !guests[way.guest].pace.shutdown;
             }),
             "a shutdown in " + config::format_span(kUsualShutdown));
    else
        note("ready-time-assumed", ways_that([&](const Way& way) {
                 return way.outcome == Outcome::started && !guests[way.guest].pace.ready &&
                        !are_certain(policies_.boot[way.guest].start.ready);
             }),
             "ready in " + config::format_span(kUsualReady));
    note("memory-assumed", guests_that([&](std::size_t i) { return guests[i].memory.count == 0; }),
         fmt::format("{} GiB of memory", kUsualMemory.count >> 30));
}

}  // namespace

std::vector<Finding> lint(const Fleet& fleet, const Policies& policies, const Request& request,
                          const Scenario& expected) {
    return Linter{fleet, policies, request, expected}.run();
}

}  // namespace guestd::plan
