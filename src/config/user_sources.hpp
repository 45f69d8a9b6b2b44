// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Where a user's own guestd has its configuration, and what is different there by default.

#include <string>

#include "config/sources.hpp"

namespace guestd::config {

/// A guestd folder by the XDG base directory rules: below the folder that `variable` of the
/// environment names, else below `below_home` in HOME. "": the environment tells none.
std::string xdg_folder(const char* variable, const char* below_home);

/// Of the user who runs us: xdg_folder of his configuration.
std::string user_config_folder();

/// Weakest first: what is different for a user from the built-in defaults, then guestd.toml and
/// guestd.toml.d/*.toml of this folder, if there is one ("" = none). Blocks on the disk.
Sources user_sources(const std::string& config_folder);

}  // namespace guestd::config
