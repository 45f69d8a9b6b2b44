// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "config/text.hpp"

namespace guestd::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t bytes;
};
// Largest first: format_size takes the first binary one that fits.
constexpr auto kUnits = std::to_array<Unit>({
    {"TiB", 1ULL << 40},
    {"GiB", 1ULL << 30},
    {"MiB", 1ULL << 20},
    {"KiB", 1ULL << 10},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"kB", 1000},
    {"T", 1ULL << 40},
    {"G", 1ULL << 30},
    {"M", 1ULL << 20},
    {"K", 1ULL << 10},
    {"B", 1},
});
constexpr std::size_t kShown = 4;
/// 2^63 - 1: what TOML's own integers can say.
constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

tl::unexpected<std::string> wrong(std::string text) {
    return tl::unexpected<std::string>{std::move(text)};
}

}  // namespace

tl::expected<Bytes, std::string> parse_size(std::string_view text) {
    const auto whole = trim(text);
    const auto end = std::ranges::find_if_not(whole, is_digit) - whole.begin();
    const auto digits = whole.substr(0, static_cast<std::size_t>(end));
    const auto name = trim(whole.substr(digits.size()));
    if (digits.empty())
        return wrong("a number is missing");
    const auto unit = std::ranges::find(kUnits, name, &Unit::name);
    if (!name.empty() && unit == kUnits.end())
        return wrong(fmt::format("unknown unit {}", in_quotes(name)));
    const auto factor = name.empty() ? 1 : unit->bytes;
    std::uint64_t value = 0;
    for (const char digit : digits) {
        const auto next = static_cast<std::uint64_t>(digit - '0');
        if (value > (kMost / factor - next) / 10)
            return wrong("too large");
        value = value * 10 + next;
    }
    return Bytes{value * factor};
}

std::string format_size(Bytes size) {
    if (size.count > 0)
        for (std::size_t i = 0; i < kShown; ++i)
            if (size.count % kUnits[i].bytes == 0)
                return fmt::format("{}{}", size.count / kUnits[i].bytes, kUnits[i].name);
    return fmt::format("{}B", size.count);
}

}  // namespace guestd::config
