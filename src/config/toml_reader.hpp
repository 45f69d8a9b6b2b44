// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// TOML text -> Nodes. The only file that knows toml11, of which 3.7 and 4.x have different faces.

#include <string>
#include <tl/expected.hpp>

#include "config/node.hpp"

namespace guestd::config {

/// Never throws. `file` is only for the problem.
tl::expected<Table, Problem> read_toml(const std::string& file, const std::string& text);

}  // namespace guestd::config
