// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/node.hpp"

#include <fmt/format.h>

#include "config/text.hpp"

namespace guestd::config {
namespace {

struct Shown {
    std::string operator()(const Other&) const { return "a date or time of day"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const { return in_quotes(value); }
    std::string operator()(const Array& value) const {
        return value.empty() ? "an empty list" : "a list";
    }
    std::string operator()(const Table&) const { return "a table"; }
};

}  // namespace

std::string shown(const Node& node) {
    return std::visit(Shown{}, node.data);
}

}  // namespace guestd::config
