// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/fleet_warnings.hpp"

#include <variant>

#include "daemon/network.hpp"

namespace guestd::daemon {

std::vector<std::string> fleet_warnings(const config::Config& config, const Machine& machine) {
    auto warnings = network_warnings(config, machine);
    std::vector<GuestFacts> facts;
    for (const auto& uri : machine.uris()) {
        if (!uri.listed)
            return warnings;
        for (const auto* guest : uri.guests)
            facts.push_back({uri.uri, guest->uuid, guest->name, guest->metadata});
    }
    for (const auto& problem : config.unmatched(facts))
        warnings.push_back(config::render_problem(problem));
    return warnings;
}

/// Of use are those that bring other guests, other metadata or another policy.
void FleetWarnings::heard(const Event& event) {
    if (std::holds_alternative<InventoryListed>(event) || std::holds_alternative<UriLost>(event) ||
        std::holds_alternative<GuestChanged>(event) ||
        std::holds_alternative<CallReturned>(event) ||
        std::holds_alternative<PolicyReplaced>(event))
        kept_.reset();
}

const std::vector<std::string>& FleetWarnings::of(const config::Config& config,
                                                  const Machine& machine) {
    if (!kept_)
        kept_ = fleet_warnings(config, machine);
    return *kept_;
}

}  // namespace guestd::daemon
