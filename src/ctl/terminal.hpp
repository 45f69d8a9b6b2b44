// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What can be shown where the output goes.

#include <cstddef>

#include "render/table.hpp"

namespace guestd::ctl {

struct Terminal {
    bool live = false;  ///< standard output is a terminal that can move its cursor
    bool asks = false;  ///< somebody can be asked: standard input is a terminal
    bool colour = false;
    bool unicode = false;   ///< block characters can be shown
    std::size_t width = 0;  ///< columns; 0 = no limit (not a terminal)
    std::size_t height = 0;

    render::Layout layout() const { return {.width = width, .colour = colour}; }
};

/// Of standard output, now: the size changes while we run. Heeds NO_COLOR, TERM=dumb and, where
/// there is no terminal, COLUMNS.
Terminal terminal();

}  // namespace guestd::ctl
