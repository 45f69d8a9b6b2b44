// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What is wrong, or worth knowing, with this policy for these guests, whatever the run makes of
/// it.

#include "plan/policies.hpp"

namespace guestd::plan {

std::vector<Finding> lint(const Fleet& fleet, const Policies& policies, const Request& request,
                          const Scenario& expected);

}  // namespace guestd::plan
