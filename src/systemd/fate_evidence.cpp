// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/fate_evidence.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace guestd::systemd {
namespace {

struct Target {
    std::string_view unit;
    Trigger trigger;
};
/// exit.target is how a container's systemd is asked to go.
constexpr std::array kTargets = {
    Target{"reboot.target", Trigger::reboot},           Target{"kexec.target", Trigger::kexec},
    Target{"soft-reboot.target", Trigger::soft_reboot}, Target{"halt.target", Trigger::halt},
    Target{"poweroff.target", Trigger::poweroff},       Target{"exit.target", Trigger::poweroff},
};

bool starts(const Evidence& evidence, std::string_view unit) {
    return evidence.start_jobs &&
           std::find(evidence.start_jobs->begin(), evidence.start_jobs->end(), unit) !=
               evidence.start_jobs->end();
}

/// Going down for a reason that no job names. logind's schedule may tell; poweroff is what assumes
/// least: nobody may come back soon.
Trigger unnamed_trigger(const Evidence& evidence) {
    const auto scheduled = parse_trigger(evidence.scheduled);
    return scheduled && *scheduled != Trigger::host_boot ? *scheduled : Trigger::poweroff;
}

}  // namespace

HostFate judge(const Evidence& evidence) {
    for (const auto& target : kTargets)
        if (starts(evidence, target.unit))
            return GoingDown{target.trigger};
    // SystemState alone is not enough: while the host still boots, older versions of systemd say
    // "starting" even with the shutdown queued. Jobs alone are not either: they go as they finish.
    if (evidence.system_state == "stopping" || starts(evidence, "shutdown.target") ||
        evidence.preparing)
        return GoingDown{unnamed_trigger(evidence)};
    if (evidence.system_state && evidence.start_jobs)
        return StaysUp{.logind_told = evidence.logind_told};
    return CannotTell{evidence.problem.empty() ? "no answer" : evidence.problem};
}

}  // namespace guestd::systemd
