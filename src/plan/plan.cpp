// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/plan.hpp"

#include <algorithm>
#include <utility>

#include "plan/chain.hpp"
#include "plan/lint.hpp"
#include "plan/rehearsal.hpp"

namespace guestd::plan {

Plan make_plan(const Fleet& fleet, std::shared_ptr<const PolicySource> policy,
               const Request& request) {
    const Policies policies{fleet, std::move(policy), request};
    Plan plan;
    for (auto* scenario : {&plan.expected, &plan.worst}) {
        const auto temper = scenario == &plan.worst ? Temper::worst : Temper::expected;
        *scenario = rehearse(fleet, policies, request, temper);
        find_chain(*scenario, fleet, policies, request.kind);
    }
    // A guest that is killed in time is gone sooner than one that obeys: a bad day may be shorter,
    // and yet nobody is to count on it.
    plan.worst.length = std::max(plan.worst.length, plan.expected.length);
    plan.findings = lint(fleet, policies, request, plan.expected);
    return plan;
}

}  // namespace guestd::plan
