// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a configuration text says, before anybody asks whether it makes sense: plain values, each
/// with its place. TOML files, the sysconfig file and guest metadata all become Nodes, so that one
/// set of value parsers serves them all.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/problem.hpp"

namespace guestd::config {

struct Node;
struct Entry;
using Array = std::vector<Node>;
/// In the order of the text; no key twice.
using Table = std::vector<Entry>;
/// A value of a type that no setting has: a date, a time.
struct Other {};

struct Node {
    std::variant<Other, bool, std::int64_t, double, std::string, Array, Table> data;
    Place place;

    template <class T>
    const T* as() const {
        return std::get_if<T>(&data);
    }
};

struct Entry {
    std::string key;
    Place place;  ///< of the key
    Node value;
};

/// The value for messages: `"abc"`, `42`, `a table`.
std::string shown(const Node& node);

}  // namespace guestd::config
