// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace guestd::daemon {

enum class BusChoice { system, user, none };

/// The command line.
struct Options {
    std::vector<std::string> config_files;  ///< empty: the system's, with drop-ins
    bool sysconfig = true;
    bool user = false;  ///< a user's own guestd: user_session.hpp
    std::string state_dir = "/var/lib/guestd";
    BusChoice bus = BusChoice::system;
    bool check_config = false;
    bool safe_boot = false;  ///< start no guest; the resume list is kept
    /// Only when the host goes down and its guests have not all been dealt with: end the drain that
    /// a killed guestd left, or begin one. systemd restarts nothing while the host goes down.
    bool finish_drain = false;
    bool hold_autostart = false;  ///< see hold_autostart.hpp
    std::string config_dir;       ///< of the user's guestd
    std::string runtime_dir;      ///< lasts until the host goes down; empty = there is none
};

/// Empty: everything has been said (help, version, a usage error), exit with `code`.
std::optional<Options> parse_options(int argc, char** argv, int& code);

}  // namespace guestd::daemon
