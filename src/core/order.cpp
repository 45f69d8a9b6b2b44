// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/order.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

namespace guestd::core {
namespace {

using Index = Order::Index;

/// What people are told of cycles, at most. Guests that all say "after *" make half a million of
/// them, each with hundreds of names.
constexpr std::size_t kMostCycles = 32;
constexpr std::size_t kLongestCycle = 16;

bool is_wildcard(char c) {
    return c == '*' || c == '?' || c == '[';
}

bool is_glob(const std::string& pattern) {
    return pattern.find_first_of("*?[\\") != std::string::npos;
}

/// The name that a pattern without wildcards stands for: the reverse of glob_escape().
std::optional<std::string> only_match(const std::string& pattern) {
    std::string name;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const bool escape = pattern[i] == '\\';
        if (escape && ++i == pattern.size())
            return std::nullopt;
        if (!escape && is_wildcard(pattern[i]))
            return std::nullopt;
        name += pattern[i];
    }
    return name;
}

/// Each pattern is matched against all names once, however many guests use it; plain names are
/// looked up. So the cost is linear in guests for the usual handful of patterns.
class Matcher {
public:
    explicit Matcher(std::span<const OrderNode> nodes) : nodes_(nodes) {
        for (Index i = 0; i < nodes.size(); ++i)
            by_name_[nodes[i].name].push_back(i);
    }

    const std::vector<Index>& matches(const std::string& pattern) {
        const auto [at, fresh] = cache_.try_emplace(pattern);
        if (!fresh)
            return at->second;
        if (!is_glob(pattern)) {
            if (const auto found = by_name_.find(pattern); found != by_name_.end())
                at->second = found->second;
            return at->second;
        }
        for (Index i = 0; i < nodes_.size(); ++i)
            if (glob_matches(pattern, nodes_[i].name))
                at->second.push_back(i);
        return at->second;
    }

private:
    std::span<const OrderNode> nodes_;
    std::unordered_map<std::string, std::vector<Index>> by_name_;
    std::unordered_map<std::string, std::vector<Index>> cache_;
};

/// Depth-first walk without recursion (chains may be thousands long) that takes out the edges which
/// close a cycle, and leaves an order in which every guest comes after its needs.
class CycleBreaker {
public:
    CycleBreaker(std::span<const OrderNode> nodes, Order& order) : nodes_(nodes), order_(order) {}

    std::vector<Index> sorted() {
        color_.assign(order_.needs.size(), Color::white);
        for (Index root = 0; root < order_.needs.size(); ++root)
            if (color_[root] == Color::white)
                walk(root);
        return std::move(sorted_);
    }

private:
    enum class Color : std::uint8_t { white, grey, black };
    struct Frame {
        Index node;
        std::size_t next_edge;
    };

    void walk(Index root) {
        stack_.push_back({root, 0});
        color_[root] = Color::grey;
        while (!stack_.empty()) {
            auto& frame = stack_.back();
            auto& edges = order_.needs[frame.node];
            if (frame.next_edge == edges.size()) {
                color_[frame.node] = Color::black;
                sorted_.push_back(frame.node);
                stack_.pop_back();
                continue;
            }
            const Index to = edges[frame.next_edge].to;
            if (color_[to] == Color::grey) {
                report(to);
                edges.erase(edges.begin() + static_cast<std::ptrdiff_t>(frame.next_edge));
                continue;
            }
            ++frame.next_edge;
            if (color_[to] == Color::white) {
                color_[to] = Color::grey;
                stack_.push_back({to, 0});
            }
        }
    }

    void report(Index to) {
        if (order_.cycles.size() == kMostCycles)
            return;
        std::string text;
        std::size_t told = 0;
        const auto from = std::ranges::find(stack_, to, &Frame::node);
        for (auto at = from; at != stack_.end() && told <= kLongestCycle; ++at, ++told)
            text += (told < kLongestCycle ? nodes_[at->node].name : "...") + " -> ";
        order_.cycles.push_back(text + nodes_[to].name);
    }

    std::span<const OrderNode> nodes_;
    Order& order_;
    std::vector<Color> color_;
    std::vector<Frame> stack_;
    std::vector<Index> sorted_;
};

void add_edges(Order& order, Matcher& matcher, std::span<const OrderNode> nodes, Index node,
               const std::vector<std::string>& patterns, bool hard) {
    for (const auto& pattern : patterns) {
        bool any = false;
        for (const Index to : matcher.matches(pattern)) {
            any = true;
            if (to != node)  // a glob may well match the guest itself
                order.needs[node].push_back({to, hard});
        }
        if (!any)
            order.unmatched.push_back(nodes[node].name + ": " + (hard ? "requires" : "after") +
                                      " '" + pattern + "' matches no guest");
    }
}

/// Doubled edges become one, hard if any of them was.
void merge(std::vector<Order::Edge>& edges) {
    std::ranges::sort(edges, [](const auto& a, const auto& b) {
        return a.to != b.to ? a.to < b.to : a.hard > b.hard;
    });
    // Not std::ranges::unique: clang 14, which builds the fuzzers, cannot compile GCC 12's.
    const auto same = [](const auto& a, const auto& b) { return a.to == b.to; };
    edges.erase(std::unique(edges.begin(), edges.end(), same), edges.end());
}

}  // namespace

bool glob_matches(const std::string& pattern, const std::string& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

std::string glob_escape(const std::string& name) {
    std::string pattern;
    for (const char c : name) {
        if (is_wildcard(c) || c == '\\')
            pattern += '\\';
        pattern += c;
    }
    return pattern;
}

Selection::Selection(const std::vector<std::string>& patterns) {
    for (const auto& pattern : patterns) {
        names_.insert(pattern);  // a broken pattern matches itself
        if (auto name = only_match(pattern))
            names_.insert(std::move(*name));
        else
            globs_.push_back(pattern);
    }
}

bool Selection::has(const std::string& name) const {
    return names_.empty() || names_.contains(name) ||
           std::ranges::any_of(globs_, [&](const auto& glob) { return glob_matches(glob, name); });
}

bool selected(const std::vector<std::string>& patterns, const std::string& name) {
    return Selection{patterns}.has(name);
}

Order build_order(std::span<const OrderNode> nodes) {
    Order order;
    const auto count = nodes.size();
    order.needs.resize(count);
    order.needed_by.resize(count);
    order.depth.assign(count, 0);
    order.height.assign(count, 0);

    Matcher matcher{nodes};
    for (Index i = 0; i < count; ++i) {
        add_edges(order, matcher, nodes, i, nodes[i].after, false);
        add_edges(order, matcher, nodes, i, nodes[i].requires_, true);
        merge(order.needs[i]);
    }
    const auto sorted = CycleBreaker{nodes, order}.sorted();
    for (const Index i : sorted)
        for (const auto& edge : order.needs[i]) {
            order.needed_by[edge.to].push_back({i, edge.hard});
            order.depth[i] = std::max(order.depth[i], order.depth[edge.to] + nodes[edge.to].weight);
        }
    for (auto at = sorted.rbegin(); at != sorted.rend(); ++at)
        for (const auto& edge : order.needs[*at])
            order.height[edge.to] =
                std::max(order.height[edge.to], order.height[*at] + nodes[*at].weight);
    return order;
}

}  // namespace guestd::core
