// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/probe.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

struct Kind {
    std::string_view name;
    NeedKind kind;
};
constexpr auto kKinds = std::to_array<Kind>({{"mount", NeedKind::mount},
                                             {"path", NeedKind::path},
                                             {"pool", NeedKind::pool},
                                             {"network", NeedKind::network},
                                             {"unit", NeedKind::unit}});
constexpr auto kNames =
    std::to_array<std::string_view>({"mount", "path", "pool", "network", "unit"});

/// What is wrong with the target, "" when nothing.
std::string_view target_error(NeedKind kind, std::string_view target) {
    switch (kind) {
        case NeedKind::mount:
        case NeedKind::path:
            return target.starts_with('/') ? "" : "it needs an absolute path";
        case NeedKind::unit:
            return target.find('.') != std::string_view::npos && !target.ends_with('.')
                       ? ""
                       : "it needs a unit's full name, as in unit:iscsid.service";
        case NeedKind::pool:
        case NeedKind::network:
            return target.empty() ? "it needs a name" : "";
    }
    return {};
}

}  // namespace

tl::expected<Need, std::string> parse_need(std::string_view text) {
    const auto whole = trim(text);
    const auto colon = std::min(whole.find(':'), whole.size());
    const auto word = whole.substr(0, colon);
    const auto kind = std::ranges::find(kKinds, word, &Kind::name);
    if (kind == kKinds.end())
        return tl::unexpected{
            fmt::format("unknown gate {}{}", in_quotes(word), suggestion(word, kNames))};
    const auto target = colon < whole.size() ? whole.substr(colon + 1) : std::string_view{};
    if (const auto error = target_error(kind->kind, target); !error.empty())
        return tl::unexpected{std::string{error}};
    return Need{kind->kind, std::string{target}};
}

std::string format_need(const Need& need) {
    const auto kind = std::ranges::find(kKinds, need.kind, &Kind::kind);
    return fmt::format("{}:{}", kind->name, need.target);
}

}  // namespace guestd::config
