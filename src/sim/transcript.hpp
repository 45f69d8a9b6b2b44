// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Everything that went into a machine and came out of it, with the virtual time.

#include <string>
#include <variant>
#include <vector>

#include "guestd/commands.hpp"
#include "guestd/events.hpp"

namespace guestd::sim {

struct Entry {
    TimePoint at{};
    unsigned life = 0;  ///< guestd's: grows with each start
    std::variant<Event, Command, std::string> what;
};
using Transcript = std::vector<Entry>;

/// One line, for people: "12.003s <- GuestChanged db shut_down". `uris` as given to the machine.
std::string describe(const Entry& entry);
std::string describe(const Transcript& transcript);

}  // namespace guestd::sim
