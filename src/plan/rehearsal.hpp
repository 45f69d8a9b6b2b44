// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One run of the real core against the simulator, and what came of it.

#include "plan/policies.hpp"

namespace guestd::plan {

/// How the guests behave. `worst`: none obeys, none is ever ready by itself, SIGTERM is ignored,
/// and the disk does half of what it has been seen to do.
enum class Temper { expected, worst };

/// What is assumed where nobody has measured and nothing was declared: a small Linux server.
inline constexpr Duration kUsualShutdown = std::chrono::seconds{20};
inline constexpr Duration kUsualStart = std::chrono::seconds{1};
inline constexpr Duration kUsualReady = std::chrono::seconds{30};
/// A restored guest is where it was; its agent needs a moment to find its channel again.
inline constexpr Duration kUsualRestored = std::chrono::seconds{2};
inline constexpr Bytes kUsualMemory{2ULL << 30};
/// A SATA SSD that others use as well.
inline constexpr Bytes kUsualRate{250ULL << 20};

/// Whether these probes say "ready" without the guest's help: then nothing need be assumed, and the
/// worst is as quick.
bool are_certain(const std::vector<Probe>& probes);

/// Without the critical chain, which needs the order as well.
Scenario rehearse(const Fleet& fleet, const Policies& policies, const Request& request,
                  Temper temper);

}  // namespace guestd::plan
