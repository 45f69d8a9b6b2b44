// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "config/config.hpp"
#include "config/glob.hpp"
#include "config/text.hpp"

namespace guestd::config {

Problems Config::unmatched(const std::vector<GuestFacts>& fleet) const {
    std::vector<std::vector<std::string>> tags;
    tags.reserve(fleet.size());
    for (const auto& facts : fleet)
        tags.push_back(metadata_of(facts).tags);
    Problems found;
    for (const auto& layer : layers_) {
        if (layer.rank != Rank::guest)
            continue;
        bool any = false;
        for (std::size_t i = 0; i < fleet.size() && !any; ++i)
            any = matches_guest(layer.matcher, fleet[i], tags[i]);
        if (!any)
            found.push_back({layer.file, layer.place.line, layer.place.column,
                             fmt::format("{} matches no guest", layer.name)});
        for (const auto& assignment : layer.assignments) {
            if (assignment.key->name != "after" && assignment.key->name != "requires")
                continue;
            for (const auto& glob :
                 std::any_cast<const std::vector<std::string>&>(assignment.value))
                if (std::ranges::none_of(fleet, [&](const GuestFacts& facts) {
                        return matches_uri(layer.matcher, facts.uri) &&
                               glob_matches(glob, facts.name);
                    }))
                    found.push_back({layer.file, assignment.place.line, assignment.place.column,
                                     fmt::format("'{}' {} matches no guest", assignment.key->name,
                                                 in_quotes(glob))});
        }
    }
    return found;
}

}  // namespace guestd::config
