// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A plan for people, for programs, and as a picture.

#include <string>

#include "ctl/decode.hpp"
#include "ctl/terminal.hpp"
#include "plan/plan.hpp"

namespace guestd::ctl {

struct Planned {
    plan::Fleet fleet;
    plan::Request request;
    plan::Plan plan;
};

std::string plan_text(const Planned& planned, const Terminal& out);
/// As docs/schema/plan.json says.
Json plan_json(const Planned& planned);
/// Of what is expected.
std::string plan_svg(const Planned& planned);

/// Guests that would not make it in their time.
std::size_t late(const plan::Scenario& scenario);

}  // namespace guestd::ctl
