// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The guests that a plan is for: from a file that somebody wrote, or from guestd, with the times
/// that its history knows.

#include <string>

#include "ctl/client.hpp"
#include "plan/fleet.hpp"

namespace guestd::ctl {

/// A TOML or JSON file, told apart by its first character; docs/planning.md has the format, and
/// what `guestctl --json list` prints is one too. Throws Stop with file and place of what is wrong.
plan::Fleet read_fleet(const std::string& path);

/// Guests, resume list and history of the guestd at the other end; only those that match one of
/// `globs`, if there are any.
plan::Fleet ask_fleet(Client& client, const Strings& globs = {});

}  // namespace guestd::ctl
