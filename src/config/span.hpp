// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Time spans as systemd writes them (systemd.time(7)): "90s", "5min", "1h 30min", "500ms", "1.5s";
/// a number alone is seconds. Units: us, ms, s, min, h, d, w and their long names. Months and years
/// are left out: nothing here lasts that long.

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "guestd/time.hpp"

namespace guestd::config {

/// The longest time that any setting may have. A host that takes a month to go down is no longer
/// going down, and sums of many such spans stay far from the end of Duration.
inline constexpr Duration kLongestSpan = std::chrono::hours{24 * 31};

/// The error says what is wrong with the text, as the end of a sentence: "unknown unit 'mni'".
tl::expected<Duration, std::string> parse_span(std::string_view text);

/// The shortest text that parse_span reads as the same span; microseconds are kept.
std::string format_span(Duration span);

}  // namespace guestd::config
