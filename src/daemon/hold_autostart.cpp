// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/hold_autostart.hpp"

#include <cstdio>

#include "daemon/marks.hpp"
#include "daemon/settings.hpp"
#include "takeover/host_facts.hpp"

namespace guestd::daemon {

int hold_autostart(const Options& options) {
    const Marks marks{options.runtime_dir};
    for (const auto* old : {Marks::kSafeBoot, Marks::kBootRun, Marks::kDrained, Marks::kStopped,
                            Marks::kUris, Marks::kAnnounced})
        marks.clear(old);  // a soft reboot keeps them
    marks.set(Marks::kNewBoot);
    const auto settings = load_settings(options, std::nullopt);
    if (!settings.degraded.empty()) {
        std::fprintf(stderr, "%s; libvirt starts its autostart guests itself\n",
                     settings.problems.front().c_str());
        return 0;
    }
    bool all_made = true;
    for (const auto* driver : takeover::throttled_drivers(*settings.config)) {
        if (const auto made = takeover::make_marker(*driver, ""); !made) {
            all_made = false;
            std::fprintf(stderr, "%s: libvirt will start its autostart guests itself\n",
                         made.error().message().c_str());
        }
    }
    return all_made ? 0 : 1;
}

}  // namespace guestd::daemon
