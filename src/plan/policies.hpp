// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The fleet's policy, looked up once: a plan asks for it many times.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/order.hpp"
#include "plan/plan.hpp"

namespace guestd::plan {

struct Policies {
    Policies(const Fleet& fleet, std::shared_ptr<const PolicySource> source,
             const Request& request);

    std::shared_ptr<const PolicySource> source;
    std::vector<GuestPolicy> boot;   ///< by place in the fleet
    std::vector<GuestPolicy> drain;  ///< under the request's trigger
    /// Those of the run that is planned.
    const std::vector<GuestPolicy>& of(RunKind kind) const {
        return kind == RunKind::boot ? boot : drain;
    }
};

/// Places in the fleet of each URI's guests, in the order of their first appearance.
std::vector<std::vector<std::size_t>> by_uri(const Fleet& fleet);

/// The order among `members`, in their order.
core::Order order_of(const Fleet& fleet, const std::vector<GuestPolicy>& policies,
                     const std::vector<std::size_t>& members);

}  // namespace guestd::plan
