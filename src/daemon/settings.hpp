// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The configuration, such as it can be had: a host whose configuration is broken still has guests
/// to protect.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/options.hpp"

namespace guestd::daemon {

struct Settings {
    std::shared_ptr<const config::Config> config;
    std::string degraded;               ///< "" = the configuration is what the files say
    std::vector<std::string> problems;  ///< of the files, "FILE:LINE:COLUMN: …"
    std::vector<std::string> warnings;
};

/// The sources that the options name.
config::Sources sources_of(const Options& options);

/// The configuration; else the last good one, else the built-in defaults. Reads files.
Settings load_settings(const Options& options, const std::optional<std::string>& last_good);

/// `guestd --check-config`: prints what is wrong; the exit code.
int check_config(const Options& options);

}  // namespace guestd::daemon
