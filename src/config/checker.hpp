// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What can only be judged when everything is merged: settings that contradict each other.
///
/// Guests are not known yet, so order is judged on the names and patterns that the tables speak of:
/// each stands for one imagined guest, which gets its policy like any other. What depends on tags,
/// UUIDs or metadata is left to the core, which sees the real fleet.

#include "config/config.hpp"

namespace guestd::config {

class Checker {
public:
    explicit Checker(const Config& config);

    Problems problems() { return std::move(problems_); }
    Problems warnings() { return std::move(warnings_); }

private:
    /// An imagined guest.
    struct Node {
        GuestFacts facts;
        std::string pattern;  ///< as written
        std::vector<std::string> waits_for;
        std::vector<std::size_t> edges;
    };

    void check_doubled_uris();
    void warn_of_strange_uris();
    void warn_of_short_deadlines();
    void check_order();

    std::string uri_for(const Matcher& matcher) const;
    void imagine(const std::string& uri, const std::string& pattern);
    void connect(std::size_t from);
    void walk(std::size_t node);
    Problem at_order_of(const Node& node, std::string message) const;

    const Config& config_;
    Problems problems_;
    Problems warnings_;
    std::vector<Node> nodes_;
    enum class Color { fresh, open, done };
    std::vector<Color> colors_;
    std::vector<std::size_t> path_;
};

}  // namespace guestd::config
