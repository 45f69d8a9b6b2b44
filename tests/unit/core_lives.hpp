// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A host on which guestd is asked for runs, and has more lives than one.

#include "core_host.hpp"

namespace guestd::testing {

inline const RunRequested kManual{RunKind::drain, Trigger::manual, {}, {}};
inline const RunRequested kPoweroff{RunKind::drain, Trigger::poweroff, {}, {}};

struct HostOfLives : ::testing::Test {
    Host host;
    GuestId add_listed(const std::string& name, GuestModel model = stopped()) {
        const auto id = host.add(name, model);
        host.list(id);
        return id;
    }
    void drain_for(Duration time, const RunRequested& request = kPoweroff) {
        host.booted_before();
        host.start();
        host.driver().send(request);
        host.run_for(time);
    }
    void restart_guestd() {
        host.driver().kill_guestd();
        host.start();
    }
    RunState state_of(RunId run) { return host.store.runs.at(run).state; }
};

}  // namespace guestd::testing
