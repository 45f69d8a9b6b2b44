// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/checker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/glob.hpp"
#include "config/span.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

/// Judging order costs the square of the names. Past this many, only the core judges it.
constexpr std::size_t kMostImagined = 2000;
constexpr std::string_view kStop = "shutdown.stop";

bool is_order(const Key& key) {
    return key.name == "after" || key.name == "requires";
}

/// Time until the last resort: `destroy` at the end takes what is left.
Duration patience(const Ladder& ladder) {
    Duration sum{};
    for (const auto& step : ladder)
        if (step.kind != StepKind::destroy)
            sum += step.time;
    return sum;
}

Problem at(const Layer& layer, Place place, std::string message) {
    return {layer.file, place.line, place.column, std::move(message)};
}

}  // namespace

Checker::Checker(const Config& config) : config_(config) {
    check_doubled_uris();
    warn_of_strange_uris();
    warn_of_short_deadlines();
    check_order();
}

void Checker::check_doubled_uris() {
    const auto& layers = config_.layers_;
    for (auto layer = layers.begin(); layer != layers.end(); ++layer) {
        const auto same = [&](const Layer& other) {
            return other.rank == Rank::uri && layer->rank == Rank::uri &&
                   other.file == layer->file && other.matcher.uri == layer->matcher.uri;
        };
        if (const auto first = std::find_if(layers.begin(), layer, same); first != layer)
            problems_.push_back(at(*layer, layer->place,
                                   fmt::format("a second [[uri]] table for {}; the first is in "
                                               "line {}",
                                               in_quotes(layer->matcher.uri), first->place.line)));
    }
}

void Checker::warn_of_strange_uris() {
    const auto& uris = config_.daemon_.uris;
    for (const auto& layer : config_.layers_)
        if (std::ranges::none_of(uris,
                                 [&](const auto& uri) { return matches_uri(layer.matcher, uri); }))
            warnings_.push_back(at(layer, layer.place,
                                   fmt::format("{} matches none of the uris in [daemon]",
                                               in_quotes(layer.matcher.uri))));
}

void Checker::warn_of_short_deadlines() {
    for (const auto& layer : config_.layers_)
        for (const auto& assignment : layer.assignments) {
            if (assignment.key->name != kStop)
                continue;
            const auto& ladder = std::any_cast<const Ladder&>(assignment.value);
            const auto deadline = config_.uri(uri_for(layer.matcher), assignment.trigger).deadline;
            if (patience(ladder) > deadline)
                warnings_.push_back(at(
                    layer, assignment.place,
                    fmt::format("the steps of 'stop' add up to {}, the deadline is {}: they will "
                                "get less time",
                                format_span(patience(ladder)), format_span(deadline))));
        }
}

std::string Checker::uri_for(const Matcher& matcher) const {
    for (const auto& uri : config_.daemon_.uris)
        if (matches_uri(matcher, uri))
            return uri;
    return glob_sample(matcher.uri);
}

void Checker::imagine(const std::string& uri, const std::string& pattern) {
    GuestFacts facts{uri, {}, glob_sample(pattern), {}};
    const auto same = [&](const Node& node) {
        return node.facts.uri == uri && node.facts.name == facts.name;
    };
    if (nodes_.size() < kMostImagined && std::ranges::none_of(nodes_, same))
        nodes_.push_back({std::move(facts), pattern, {}, {}});
}

void Checker::check_order() {
    for (const auto& layer : config_.layers_) {
        if (layer.rank != Rank::guest)
            continue;
        const auto uri = uri_for(layer.matcher);
        if (!layer.matcher.uuid && layer.matcher.tag.empty())
            for (const auto& pattern : layer.matcher.names)
                imagine(uri, pattern);
        for (const auto& assignment : layer.assignments)
            if (is_order(*assignment.key))
                for (const auto& pattern :
                     std::any_cast<const std::vector<std::string>&>(assignment.value))
                    if (is_literal(pattern))
                        imagine(uri, pattern);
    }
    for (auto& node : nodes_) {
        const auto policy = config_.guest(node.facts, std::nullopt);
        node.waits_for = policy.after;
        node.waits_for.insert(node.waits_for.end(), policy.requires_.begin(),
                              policy.requires_.end());
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i)
        connect(i);
    colors_.assign(nodes_.size(), Color::fresh);
    for (std::size_t i = 0; i < nodes_.size(); ++i)
        if (colors_[i] == Color::fresh)
            walk(i);
}

void Checker::connect(std::size_t from) {
    auto& node = nodes_[from];
    // A pattern may well cover the guest that waits by its own name; a pattern that waits for
    // itself makes all its guests wait for each other.
    const auto on_itself = [&](const std::string& pattern) {
        return is_literal(pattern) == is_literal(node.pattern) &&
               glob_matches(pattern, node.facts.name);
    };
    for (const auto& pattern : node.waits_for)
        if (on_itself(pattern))
            problems_.push_back(
                at_order_of(node, fmt::format("{} waits for itself through {}",
                                              in_quotes(node.pattern), in_quotes(pattern))));
    for (std::size_t to = 0; to < nodes_.size(); ++to)
        if (to != from && nodes_[to].facts.uri == node.facts.uri &&
            std::ranges::any_of(node.waits_for, [&](const auto& pattern) {
                return glob_matches(pattern, nodes_[to].facts.name);
            }))
            node.edges.push_back(to);
}

/// Depth is bounded by kMostImagined.
void Checker::walk(std::size_t node) {
    colors_[node] = Color::open;
    path_.push_back(node);
    for (const auto to : nodes_[node].edges) {
        if (colors_[to] == Color::fresh)
            walk(to);
        if (colors_[to] != Color::open || to == node)
            continue;
        std::string cycle;
        for (auto step = std::ranges::find(path_, to); step != path_.end(); ++step)
            cycle += nodes_[*step].pattern + " -> ";
        problems_.push_back(at_order_of(
            nodes_[to], fmt::format("dependency cycle: {}{}", cycle, nodes_[to].pattern)));
    }
    path_.pop_back();
    colors_[node] = Color::done;
}

/// At the strongest assignment that gives this guest its place in the order.
Problem Checker::at_order_of(const Node& node, std::string message) const {
    Problem problem{{}, 0, 0, std::move(message)};
    for (const auto& pass : config_.guest_passes(node.facts, {}, Rank::global, std::nullopt))
        for (const auto& assignment : pass.layer->assignments)
            if (is_order(*assignment.key)) {
                problem.file = pass.layer->file;
                problem.line = assignment.place.line;
                problem.column = assignment.place.column;
            }
    return problem;
}

}  // namespace guestd::config
