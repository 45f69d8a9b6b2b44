// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Are these guests ready, as far as this host boot goes: what guestd says, put together.
///
/// A guest is *pending* as long as a boot run has work on it, or nobody can tell yet; *failed* when
/// the boot run has dealt with it and it does not run; *ready* when the run says so, or when it
/// runs and no run has anything to do with it. Each look asks guestd anew: signals only tell when.

#include <string>
#include <vector>

#include "ctl/client.hpp"

namespace guestd::ctl {

enum class Readiness { ready, pending, failed };

struct GuestReadiness {
    std::string name;
    std::string uri;   ///< "" = no such guest is known
    std::string uuid;  ///< likewise
    Readiness is = Readiness::pending;
    std::string cause;  ///< why not ready
};

struct ReadinessView {
    Readiness all = Readiness::pending;  ///< failed: only once nothing is pending
    std::vector<GuestReadiness>
        guests;         ///< without names: those of the boot run, once it has ended
    std::string cause;  ///< of all, where it is not about a guest
    /// What is waited for may come without a signal: look again soon.
    bool look_again = false;
};

/// `globs`: names, UUIDs or globs; none = every guest of this host boot's boot run. Throws as
/// Client::call does.
ReadinessView look(Client& client, const Strings& globs);

}  // namespace guestd::ctl
