// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A look at TOML text before toml11 gets it, for what makes toml11 3.7 end the process instead of
/// throwing: it recurses over nesting and dotted keys, and it leaves its buffer over bytes in
/// strings that are not UTF-8 (its parse_literal_string resets one buffer's location with another's
/// iterator). Knows strings and comments, nothing else; text that is no TOML passes and is refused
/// later.

#include <optional>
#include <string>
#include <string_view>

#include "config/problem.hpp"

namespace guestd::config {

/// Lists and tables nested deeper than this, and keys with more dots, are refused. Real
/// configurations reach four.
inline constexpr unsigned kDeepestNesting = 32;

struct Unfit {
    Place place;
    std::string message;
};

/// Why toml11 must not see this text; empty when it may.
std::optional<Unfit> unfit_for_toml11(std::string_view text);

}  // namespace guestd::config
