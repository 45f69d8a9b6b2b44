// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Who starts and stops guests on this host, as its files say.
///
/// Files only, no bus: this is read by guestd at its start, and by guestctl with guestd down or on
/// a host that is not running. What holds is the state of the disk; a unit counts as enabled when a
/// link makes something want it.

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "takeover/drivers.hpp"

namespace guestd::takeover {

inline constexpr const char* kGuestdUnit = "guestd.service";
/// Makes the markers at boot.
inline constexpr const char* kHoldUnit = "guestd-autostart.service";
inline constexpr const char* kLibvirtGuestsUnit = "libvirt-guests.service";

struct DriverFacts {
    Driver driver;
    bool configured = false;          ///< guestd looks after its URI
    bool throttle = false;            ///< … and is to start its autostart guests
    std::string setting;              ///< "throttle", "leave"; "" = not configured, or refused
    std::string origin;               ///< "/etc/guestd/guestd.toml:12", "built-in"
    bool marker = false;              ///< libvirt is held off, or has had its pass in this boot
    std::optional<unsigned> flagged;  ///< guests with the flag; empty = not for us to read
};

struct HostFacts {
    /// Those whose URI is configured, or that libvirt has on this host.
    std::vector<DriverFacts> drivers;
    std::string config_problem;  ///< the configuration is refused: why; "" = it is not
    bool guestd_enabled = false;
    bool hold_enabled = false;  ///< kHoldUnit
    bool libvirt_guests_enabled = false;
    bool libvirt_guests_active = false;
    /// Lines of /etc/libvirt/qemu.conf by which libvirt stops guests itself (libvirt 11.2).
    std::vector<std::string> auto_shutdown;
    bool qemu_conf_readable = true;
};

/// Who starts a driver's autostart guests at the next boot.
enum class Starter {
    guestd,
    libvirt,
    nobody,  ///< libvirt is held off, and guestd does not start
};
const char* to_string(Starter starter);
Starter starter_of(const DriverFacts& driver, const HostFacts& host);

/// `config` null: it is refused. Blocks on the disk for some small files; does not throw.
HostFacts read_host(const config::Config* config, const std::string& root = "");

/// Of this URI's guests, whoever they are: "throttle" or "leave", and where that is said.
struct AutostartSetting {
    AutostartMode mode = AutostartMode::throttle;
    std::string origin;
};
AutostartSetting autostart_setting(const config::Config& config, const std::string& uri);

/// Drivers whose autostart guests guestd is to start; each once.
std::vector<const Driver*> throttled_drivers(const config::Config& config);

/// `text` is /etc/libvirt/qemu.conf: its settings of libvirt's own shutdown that are not "none".
std::vector<std::string> auto_shutdown_of(const std::string& text);

}  // namespace guestd::takeover
