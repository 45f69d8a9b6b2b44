// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/plan.hpp"

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
    plan.findings = lint(fleet, policies, request, plan.expected);
    return plan;
}

}  // namespace guestd::plan
