// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/policies.hpp"

#include <unordered_map>
#include <utility>

namespace guestd::plan {

Policies::Policies(const Fleet& fleet, std::shared_ptr<const PolicySource> from,
                   const Request& request)
    : source(std::move(from)) {
    boot.reserve(fleet.guests.size());
    drain.reserve(fleet.guests.size());
    for (const auto& guest : fleet.guests) {
        const GuestFacts facts{guest.uri, guest.uuid, guest.name, guest.metadata};
        boot.push_back(source->guest(facts, std::nullopt));
        drain.push_back(source->guest(facts, request.trigger));
    }
}

std::vector<std::vector<std::size_t>> by_uri(const Fleet& fleet) {
    std::unordered_map<std::string, std::size_t> places;
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < fleet.guests.size(); ++i) {
        const auto [at, fresh] = places.try_emplace(fleet.guests[i].uri, groups.size());
        if (fresh)
            groups.emplace_back();
        groups[at->second].push_back(i);
    }
    return groups;
}

core::Order order_of(const Fleet& fleet, const std::vector<GuestPolicy>& policies,
                     const std::vector<std::size_t>& members) {
    std::vector<core::OrderNode> nodes;
    nodes.reserve(members.size());
    for (const auto i : members)
        nodes.push_back({fleet.guests[i].name, policies[i].after, policies[i].requires_});
    return core::build_order(nodes);
}

}  // namespace guestd::plan
