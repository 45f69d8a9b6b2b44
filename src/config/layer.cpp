// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/layer.hpp"

#include <algorithm>

#include "config/glob.hpp"

namespace guestd::config {

bool matches_uri(const Matcher& matcher, const std::string& uri) {
    return matcher.uri.empty() || glob_matches(matcher.uri, uri);
}

bool matches_guest(const Matcher& matcher, const GuestFacts& facts,
                   const std::vector<std::string>& tags) {
    if (matcher.uuid && *matcher.uuid != facts.uuid)
        return false;
    if (!matcher.names.empty() && std::ranges::none_of(matcher.names, [&](const auto& glob) {
            return glob_matches(glob, facts.name);
        }))
        return false;
    return matches_uri(matcher, facts.uri) &&
           (matcher.tag.empty() || std::ranges::find(tags, matcher.tag) != tags.end());
}

Origin origin_of(const Layer& layer, const Assignment& assignment) {
    Origin origin{layer.name, layer.file, assignment.place.line, assignment.place.column};
    if (layer.name.empty()) {
        const auto name = assignment.key->name;
        origin.layer = std::string{name.substr(0, name.find('.'))};
        if (assignment.trigger)
            origin.layer += ".on." + std::string{to_string(*assignment.trigger)};
        origin.layer = '[' + origin.layer + ']';
    } else if (assignment.trigger) {
        origin.layer += " on " + std::string{to_string(*assignment.trigger)};
    }
    return origin;
}

std::string origin_text(const Origin& origin) {
    std::string text = origin.file.empty() ? origin.layer : origin.file;
    if (origin.line > 0)
        text += ":" + std::to_string(origin.line);
    if (!origin.file.empty() && !origin.layer.empty())
        text += " " + origin.layer;
    return text;
}

void apply(const Layer& layer, std::optional<Trigger> trigger, const Targets& targets) {
    for (const auto& assignment : layer.assignments)
        if (assignment.trigger == trigger)
            assignment.key->apply(assignment.value, targets);
}

}  // namespace guestd::config
