// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/span.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "config/text.hpp"

namespace guestd::config {
namespace {

using Count = Duration::rep;

struct Unit {
    std::string_view name;
    Count microseconds;
};
constexpr Count kSecond = 1'000'000;
constexpr Count kMinute = 60 * kSecond;
constexpr Count kHour = 60 * kMinute;
constexpr Count kDay = 24 * kHour;
constexpr auto kUnits = std::to_array<Unit>({
    {"s", kSecond},   {"sec", kSecond}, {"second", kSecond}, {"seconds", kSecond},
    {"min", kMinute}, {"m", kMinute},   {"minute", kMinute}, {"minutes", kMinute},
    {"h", kHour},     {"hr", kHour},    {"hour", kHour},     {"hours", kHour},
    {"ms", 1000},     {"msec", 1000},   {"d", kDay},         {"day", kDay},
    {"days", kDay},   {"w", 7 * kDay},  {"week", 7 * kDay},  {"weeks", 7 * kDay},
    {"us", 1},        {"usec", 1},      {"\u00b5s", 1},
});

tl::unexpected<std::string> wrong(std::string text) {
    return tl::unexpected<std::string>{std::move(text)};
}

std::string_view take(std::string_view& rest, auto&& belongs) {
    const auto end = std::ranges::find_if_not(rest, belongs);
    const auto taken = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    rest.remove_prefix(taken.size());
    return taken;
}

void skip_blanks(std::string_view& rest) {
    take(rest, [](char c) { return c == ' ' || c == '\t'; });
}

/// Digits times unit, in microseconds; empty past kLongestSpan.
std::optional<Count> scaled(std::string_view whole, std::string_view fraction, Count unit) {
    Count value = 0;
    for (const char digit : whole) {
        value = value * 10 + (digit - '0');
        if (value > kLongestSpan.count() / unit)
            return std::nullopt;
    }
    value *= unit;
    Count part = unit;
    for (const char digit : fraction) {
        part /= 10;
        value += part * (digit - '0');
    }
    return value;
}

tl::expected<Count, std::string> unit_of(std::string_view name) {
    const auto unit = std::ranges::find(kUnits, name, &Unit::name);
    if (unit != kUnits.end())
        return unit->microseconds;
    std::vector<std::string_view> names;
    names.reserve(kUnits.size());
    for (const auto& known : kUnits)
        names.push_back(known.name);
    const auto near = nearest(name, names);
    if (near.empty())
        return wrong(fmt::format("unknown unit {}", in_quotes(name)));
    return wrong(fmt::format("unknown unit {}, did you mean '{}'?", in_quotes(name), near));
}

/// One "5min" off the front of `rest`.
tl::expected<Count, std::string> take_part(std::string_view& rest, bool first) {
    const auto whole = take(rest, is_digit);
    std::string_view fraction;
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        fraction = take(rest, is_digit);
        if (fraction.empty())
            return wrong("a digit is missing after the point");
    }
    if (whole.empty() && fraction.empty())
        return wrong("a number is missing");
    skip_blanks(rest);
    const auto name =
        take(rest, [](char c) { return !is_digit(c) && c != ' ' && c != '\t' && c != '.'; });
    if (name.empty() && !(first && rest.empty()))
        return wrong("a unit is missing");
    auto unit = name.empty() ? kSecond : unit_of(name);
    if (!unit)
        return unit;
    const auto value = scaled(whole, fraction, *unit);
    if (!value)
        return wrong("too long");
    return *value;
}

}  // namespace

tl::expected<Duration, std::string> parse_span(std::string_view text) {
    auto rest = trim(text);
    if (rest.empty())
        return wrong("it is empty");
    if (rest.starts_with('-'))
        return wrong("a time cannot be negative");
    Count sum = 0;
    for (bool first = true; !rest.empty(); first = false) {
        const auto part = take_part(rest, first);
        if (!part)
            return wrong(part.error());
        sum += *part;
        if (sum > kLongestSpan.count())
            return wrong("too long");
        skip_blanks(rest);
    }
    return Duration{sum};
}

std::string format_span(Duration span) {
    static constexpr auto kShown = std::to_array<Unit>(
        {{"d", kDay}, {"h", kHour}, {"min", kMinute}, {"s", kSecond}, {"ms", 1000}, {"us", 1}});
    auto left = span.count();
    if (left <= 0)
        return "0s";
    std::string text;
    for (const auto& unit : kShown) {
        const auto many = left / unit.microseconds;
        left %= unit.microseconds;
        if (many > 0)
            text += fmt::format("{}{}{}", text.empty() ? "" : " ", many, unit.name);
    }
    return text;
}

}  // namespace guestd::config
