// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Sizes: "512MiB", "1GiB", "1.5GiB" is refused (write 1536MiB); "500MB" is decimal; a number alone
/// is bytes.

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "guestd/types.hpp"

namespace guestd::config {

/// The error says what is wrong with the text, as the end of a sentence.
tl::expected<Bytes, std::string> parse_size(std::string_view text);

/// In the largest binary unit that divides it; parse_size reads it back.
std::string format_size(Bytes size);

}  // namespace guestd::config
