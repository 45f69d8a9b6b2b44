// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A configuration is a list of layers; a layer is a matcher and a list of assignments, each with
/// its place. Merging is nothing but carrying out the assignments of all matching layers, weakest
/// first, so the origin of each value comes for free.
///
/// Strength: rank first; within a rank the assignments for all triggers, then those for the trigger
/// at hand; within these the order of the text, later ones stronger.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/keys.hpp"
#include "guestd/types.hpp"

namespace guestd::config {

/// Where a value came from.
struct Origin {
    std::string layer;  ///< "built-in", "[shutdown]", "sysconfig", "[[guest]] db-*", "metadata"
    std::string file;   ///< "" for built-in values and metadata
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    bool operator==(const Origin&) const = default;
};

struct Assignment {
    const Key* key = nullptr;
    Value value;
    std::optional<Trigger> trigger;  ///< from `shutdown.on.TRIGGER`
    Place place;
};

enum class Rank { global, uri, guest, metadata };

/// All that is set must match; nothing set matches everything.
struct Matcher {
    std::vector<std::string> names;  ///< globs, any of them; empty = every name
    std::optional<Uuid> uuid;
    std::string uri;  ///< a glob; "" = every URI
    std::string tag;  ///< among the guest's tags; "" = no matter
};

struct Layer {
    Rank rank = Rank::global;
    std::string name;  ///< for Origin; empty for global tables, which name themselves
    std::string file;
    Place place;  ///< of the table's header
    Matcher matcher;
    std::vector<Assignment> assignments;
};

bool matches_uri(const Matcher& matcher, const std::string& uri);
bool matches_guest(const Matcher& matcher, const GuestFacts& facts,
                   const std::vector<std::string>& tags);

Origin origin_of(const Layer& layer, const Assignment& assignment);

/// "FILE:LINE [shutdown]", "built-in", "metadata": as people are shown it. Raw.
std::string origin_text(const Origin& origin);

/// A layer's assignments for one trigger, or those for all of them.
void apply(const Layer& layer, std::optional<Trigger> trigger, const Targets& targets);

}  // namespace guestd::config
