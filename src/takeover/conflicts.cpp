// SPDX-License-Identifier: LGPL-2.1-or-later
#include "takeover/conflicts.hpp"

namespace guestd::takeover {
namespace {

std::string autostart_guests(unsigned count) {
    return std::to_string(count) + (count == 1 ? " autostart guest" : " autostart guests");
}

/// Of a driver whose guests guestd is to start.
void add_autostart(std::vector<std::string>& found, const DriverFacts& driver,
                   const HostFacts& host) {
    const auto flagged = driver.flagged.value_or(0);
    if (!driver.throttle || flagged == 0)
        return;
    const auto who = std::string{driver.driver.uri} + ": " + autostart_guests(flagged);
    if (!host.hold_enabled)
        found.push_back(who + (flagged == 1 ? " is" : " are") +
                        " set to be started by guestd, but " + kHoldUnit +
                        " is not enabled: at the next boot libvirt starts all of them at once "
                        "(\"guestctl autostart take\" enables it)");
    else if (!host.guestd_enabled)
        found.push_back(who + (flagged == 1 ? " is" : " are") + " held off by " + kHoldUnit +
                        ", but " + kGuestdUnit +
                        " is not enabled: nobody starts them at the next boot (enable both, or "
                        "neither)");
    if (!driver.marker)
        found.push_back(who + ", and nothing holds libvirt off: " + marker_of(driver.driver, "") +
                        " is missing, so the next start of libvirt's daemon starts all of them at "
                        "once (\"guestctl autostart take\" makes it)");
}

}  // namespace

std::vector<std::string> conflicts(const HostFacts& host) {
    std::vector<std::string> found;
    // Not "disable --now": that stop is what stops every guest.
    if (host.libvirt_guests_enabled)
        found.push_back(
            "libvirt-guests.service is enabled too; only one of the two may look after the "
            "guests: \"systemctl disable libvirt-guests\", without --now, which would stop them");
    else if (host.libvirt_guests_active)
        found.push_back(
            "libvirt-guests.service is still active; do not stop it, as that stops every guest: "
            "it is gone after the next boot");
    for (const auto& line : host.auto_shutdown)
        found.push_back("/etc/libvirt/qemu.conf says " + line +
                        ": libvirt stops guests itself when the host goes down, and guestd does "
                        "not come to it; set it to \"none\" and restart libvirt's daemon");
    for (const auto& driver : host.drivers)
        add_autostart(found, driver, host);
    return found;
}

std::vector<std::string> conflicts(const config::Config& config) {
    return conflicts(read_host(&config));
}

}  // namespace guestd::takeover
