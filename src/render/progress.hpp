// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Live progress: a bar, and a block of lines at the bottom of a terminal that is redrawn in place
/// while finished lines scroll away above it.

#include <string>
#include <string_view>
#include <vector>

namespace guestd::render {

/// A bar of `width` columns, filled to `share` (0…1, clamped; not a number = 0). In eighths of a
/// column with `unicode`, else "[###   ]".
std::string bar(double share, std::size_t width, bool unicode = true);

/// Produces what must be written to the terminal; writes nothing itself. Lines must be escaped, and
/// cut to the terminal's width: a line that wraps would be counted as one.
class LiveBlock {
public:
    /// The block becomes `lines`.
    std::string show(const std::vector<std::string>& lines);
    /// `line` scrolls above the block, which stays.
    std::string above(std::string_view line);
    /// Removes the block.
    std::string clear();

private:
    std::string home() const;
    std::vector<std::string> lines_;
};

}  // namespace guestd::render
