// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What is wrong with a configuration, and where.

#include <cstdint>
#include <string>
#include <vector>

namespace guestd::config {

/// A place in a text; both count from 1, columns in bytes. Line 0: the file as a whole.
struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    bool operator==(const Place&) const = default;
};

struct Problem {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;  ///< one line: the value found, what is allowed, the nearest known name
    bool operator==(const Problem&) const = default;
};
using Problems = std::vector<Problem>;

/// "FILE:LINE:COLUMN: message"; without a line, "FILE: message". Safe to print on a terminal.
std::string render_problem(const Problem& problem);

}  // namespace guestd::config
