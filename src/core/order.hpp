// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The order graph of one URI's guests: `after` and `requires`, globs expanded over live names.
///
/// Guests are numbered by their place in the input. Boot follows the edges, a drain their reverse.
/// The graph that comes out has no cycle: an edge that would close one is left out and reported.

#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace guestd::core {

struct OrderNode {
    std::string name;
    std::vector<std::string> after;
    std::vector<std::string> requires_;
    unsigned weight = 1;  ///< its part of the time that a chain has
};

struct Order {
    using Index = std::uint32_t;
    struct Edge {
        Index to = 0;
        bool hard = false;  ///< from `requires`
    };
    std::vector<std::vector<Edge>> needs;      ///< whom a guest starts after
    std::vector<std::vector<Edge>> needed_by;  ///< the reverse
    std::vector<unsigned> depth;               ///< weight of the heaviest chain of needs below
    std::vector<unsigned> height;              ///< of the heaviest chain of dependents above
    std::vector<std::string> cycles;           ///< "a -> b -> a", for people
    std::vector<std::string> unmatched;        ///< "NAME: after 'GLOB' matches no guest"
};

Order build_order(std::span<const OrderNode> nodes);

/// fnmatch(3) over the whole name: *, ?, [a-z]. Never fails; a broken pattern matches itself only.
bool glob_matches(const std::string& pattern, const std::string& name);
/// A pattern that matches this name and no other.
std::string glob_escape(const std::string& name);

/// Whom a run is about. No pattern at all selects everything. A pattern that can match one name
/// only is looked up, so that a list of all guests by name costs no more than the guests.
class Selection {
public:
    explicit Selection(const std::vector<std::string>& patterns);
    bool has(const std::string& name) const;

private:
    std::unordered_set<std::string> names_;
    std::vector<std::string> globs_;
};

/// The same, asked once.
bool selected(const std::vector<std::string>& patterns, const std::string& name);

}  // namespace guestd::core
