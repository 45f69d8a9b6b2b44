// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A look at TOML text before it is parsed: how deep would a recursive parser go? Knows strings and
/// comments, nothing else; text that is no TOML gets some answer and is refused by the parser.

#include <optional>
#include <string_view>

#include "config/problem.hpp"

namespace guestd::config {

/// Where lists and tables first nest deeper than `most`, or a key first has more than `most` dots.
std::optional<Place> too_deep(std::string_view text, unsigned most);

}  // namespace guestd::config
