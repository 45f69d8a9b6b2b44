// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What is to be said only when the guests are known.

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "guestd/machine.hpp"

namespace guestd::daemon {

/// What the configuration says of guests that nobody has: slips, and leftovers; nothing before all
/// URIs have answered, for the guest may be theirs. And guests whose metadata wants the network,
/// where guestd has none.
std::vector<std::string> fleet_warnings(const config::Config& config, const Machine& machine);

/// The same, kept while nothing has happened that could change it: it reads the metadata of every
/// guest, and everybody may ask for the status.
class FleetWarnings {
public:
    /// To be told of every event, after the machine.
    void heard(const Event& event);
    const std::vector<std::string>& of(const config::Config& config, const Machine& machine);

private:
    std::optional<std::vector<std::string>> kept_;
};

}  // namespace guestd::daemon
