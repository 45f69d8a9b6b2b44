// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Texts of /proc: pure parsers, and the one way to read such a file.

#include <optional>
#include <string>
#include <string_view>

#include "guestd/types.hpp"

namespace guestd::sensors {

/// The whole file; empty when it cannot be read, or is larger than any file of /proc that we read.
/// Does not block on files of /proc.
std::optional<std::string> read_text(const std::string& path);

/// "avg10" of the line "some", percent. Empty when it is not there, or no number from 0 to 100.
std::optional<double> parse_pressure(std::string_view text);

/// "MemAvailable" of /proc/meminfo. Empty when it is not there, or not in kB.
std::optional<Bytes> parse_available(std::string_view text);

/// Takes the text up to the next separator off `rest`, and the separator too.
inline std::string_view take_until(std::string_view& rest, char separator) {
    const auto end = rest.find(separator);
    const auto part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

}  // namespace guestd::sensors
