// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/chain.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace guestd::plan {
namespace {

/// Between one guest's end and the next one's begin lie an event, a look, and a call.
constexpr Duration kHandOver = std::chrono::seconds{1};

class Search {
public:
    Search(const Scenario& scenario, const Fleet& fleet);

    void know_order(const Policies& policies, RunKind kind);
    std::vector<Link> run() const;

private:
    struct Before {
        std::size_t way;
        bool by_order;
    };
    std::optional<Before> before(std::size_t way) const;
    std::optional<std::size_t> last_end(Duration from, Duration to, const std::string& uri) const;
    Duration patience(std::size_t way) const;
    const std::string& uri(std::size_t way) const {
        return fleet_.guests[scenario_.ways[way].guest].uri;
    }

    const Scenario& scenario_;
    const Fleet& fleet_;
    std::vector<std::size_t> by_end_;                   ///< ways
    std::vector<std::vector<std::size_t>> waited_for_;  ///< by way: ways
    std::unordered_map<std::string, Duration> delays_;
};

Search::Search(const Scenario& scenario, const Fleet& fleet)
    : scenario_(scenario),
      fleet_(fleet),
      by_end_(scenario.ways.size()),
      waited_for_(scenario.ways.size()) {
    std::iota(by_end_.begin(), by_end_.end(), std::size_t{0});
    std::ranges::sort(by_end_, {}, [&](std::size_t i) { return scenario.ways[i].end(); });
}

void Search::know_order(const Policies& policies, RunKind kind) {
    const auto& ways = scenario_.ways;
    std::vector<std::size_t> way_of(fleet_.guests.size(), ways.size());
    for (std::size_t i = 0; i < ways.size(); ++i)
        way_of[ways[i].guest] = i;
    for (auto& members : by_uri(fleet_)) {
        const auto& uri = fleet_.guests[members.front()].uri;
        if (kind == RunKind::boot)
            delays_[uri] = policies.source->uri(uri, std::nullopt).start_delay;
        std::erase_if(members, [&](std::size_t i) { return way_of[i] == ways.size(); });
        const auto order = order_of(fleet_, policies.of(kind), members);
        const auto& edges = kind == RunKind::boot ? order.needs : order.needed_by;
        for (std::size_t i = 0; i < members.size(); ++i)
            for (const auto& edge : edges[i])
                waited_for_[way_of[members[i]]].push_back(way_of[members[edge.to]]);
    }
}

Duration Search::patience(std::size_t way) const {
    const auto delay = delays_.find(uri(way));
    return kHandOver + (delay == delays_.end() ? Duration::zero() : delay->second);
}

/// Of the ways that end in this stretch of time, on this URI, the one that ends last.
std::optional<std::size_t> Search::last_end(Duration from, Duration to,
                                            const std::string& on) const {
    auto at = std::ranges::upper_bound(by_end_, to, {},
                                       [&](std::size_t i) { return scenario_.ways[i].end(); });
    while (at != by_end_.begin()) {
        --at;
        const auto& way = scenario_.ways[*at];
        if (way.end() < from)
            break;
        if (uri(*at) == on && way.begin() < way.end())
            return *at;
    }
    return std::nullopt;
}

std::optional<Search::Before> Search::before(std::size_t way) const {
    const auto begin = scenario_.ways[way].begin();
    std::optional<Before> last;
    for (const auto i : waited_for_[way])
        if (const auto end = scenario_.ways[i].end();
            end <= begin && (!last || end > scenario_.ways[last->way].end()))
            last = Before{i, true};
    if (last && scenario_.ways[last->way].end() + patience(way) >= begin)
        return last;
    if (begin <= patience(way))
        return std::nullopt;
    if (const auto i = last_end(begin - patience(way), begin, uri(way)))
        return Before{*i, false};
    return std::nullopt;
}

std::vector<Link> Search::run() const {
    std::vector<Link> chain;
    if (by_end_.empty())
        return chain;
    auto way = by_end_.back();
    for (;;) {
        const auto name = [&](std::size_t i) {
            return fleet_.guests[scenario_.ways[i].guest].name;
        };
        const auto earlier = before(way);
        // Each link begins before the one after it, so this ends.
        if (!earlier || scenario_.ways[earlier->way].begin() >= scenario_.ways[way].begin()) {
            const bool at_once = scenario_.ways[way].begin() <= patience(way);
            chain.push_back({way, at_once ? "with the run" : "when it could wait no longer"});
            break;
        }
        chain.push_back(
            {way, (earlier->by_order ? "after " : "in the place of ") + name(earlier->way)});
        way = earlier->way;
    }
    std::ranges::reverse(chain);
    return chain;
}

void mark(Scenario& scenario, std::vector<Link> chain) {
    scenario.chain = std::move(chain);
    for (const auto& link : scenario.chain)
        scenario.ways[link.way].critical = true;
}

}  // namespace

void find_chain(Scenario& scenario, const Fleet& fleet, const Policies& policies, RunKind kind) {
    Search search{scenario, fleet};
    search.know_order(policies, kind);
    mark(scenario, search.run());
}

void find_chain(Scenario& scenario, const Fleet& fleet) {
    mark(scenario, Search{scenario, fleet}.run());
}

}  // namespace guestd::plan
