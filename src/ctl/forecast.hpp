// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// When a run that somebody watches is expected to have ended: by the plan of it, made of the
/// guests as they were before it. A comfort: whatever goes wrong with it, the run goes on and no
/// time is told.

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "ctl/context.hpp"
#include "plan/plan.hpp"

namespace guestd::ctl {

class Forecast {
public:
    /// Tells nothing, ever.
    Forecast() = default;
    /// Asks guestd for the guests. Blocks for as long as `guestctl plan` takes. Never throws.
    static Forecast of(Context& context, const Strings& globs, const plan::Request& request);

    /// A guest has come to its end, as planned or not.
    void done(const std::string& uri, const std::string& uuid);
    /// From now to the end, so long after the start; empty when nobody knows, or all of it took
    /// longer than was thought.
    std::optional<Duration> left(Duration since_start) const;

private:
    std::map<std::pair<std::string, std::string>, Duration> ends_;  ///< of each guest
};

}  // namespace guestd::ctl
