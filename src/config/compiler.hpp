// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Nodes of one TOML file -> layers. Goes on after a mistake, so that one look shows them all.

#include <string>
#include <vector>

#include "config/layer.hpp"
#include "config/node.hpp"
#include "config/problem.hpp"

namespace guestd::config {

/// The file's global tables as one layer of Rank::global, then its [[uri]] and [[guest]] tables in
/// the order of the text. What is wrong is left out and appended to `problems`.
std::vector<Layer> compile_toml(const std::string& file, const Table& root, Problems& problems);

/// One value for a key, with the problem's text as it is told everywhere: "'KEY' in TABLE is FOUND;
/// expected ALLOWED (REASON)".
tl::expected<Value, Problem> parse_value(const std::string& file, const Key& key,
                                         const std::string& spelled, const std::string& table,
                                         const Node& node);

}  // namespace guestd::config
