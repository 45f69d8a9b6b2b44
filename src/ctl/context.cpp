// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/context.hpp"

#include <fmt/chrono.h>

#include <cctype>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <limits>

#include "render/units.hpp"

namespace guestd::ctl {
namespace {

struct Unit {
    std::string_view word;
    Duration span;
};

using namespace std::chrono_literals;
constexpr std::array kUnits = {
    Unit{"us", 1us},       Unit{"ms", 1ms},     Unit{"s", 1s},    Unit{"sec", 1s},
    Unit{"second", 1s},    Unit{"min", 1min},   Unit{"m", 1min},  Unit{"minute", 1min},
    Unit{"minutes", 1min}, Unit{"seconds", 1s}, Unit{"h", 1h},    Unit{"hour", 1h},
    Unit{"hours", 1h},     Unit{"d", 24h},      Unit{"day", 24h}, Unit{"days", 24h},
    Unit{"", 1s},
};
/// Longer than any drain; keeps the sum far from overflowing.
constexpr Duration kLongestSpan = 24h * 365;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

/// Takes one "5min" off the front; nothing when there is none.
std::optional<Duration> take_span(std::string_view& text) {
    std::size_t digits = 0;
    std::uint64_t amount = 0;
    for (; digits < text.size() && is_digit(text[digits]); ++digits) {
        amount = amount * 10 + static_cast<std::uint64_t>(text[digits] - '0');
        if (amount > static_cast<std::uint64_t>(kLongestSpan.count()))
            return std::nullopt;
    }
    if (digits == 0)
        return std::nullopt;
    text.remove_prefix(digits);
    while (!text.empty() && text[0] == ' ')
        text.remove_prefix(1);
    std::size_t letters = 0;
    while (letters < text.size() && is_letter(text[letters]))
        ++letters;
    for (const auto& unit : kUnits) {
        if (unit.word != text.substr(0, letters))
            continue;
        if (static_cast<Duration::rep>(amount) > kLongestSpan / unit.span)
            return std::nullopt;
        text.remove_prefix(letters);
        return unit.span * static_cast<Duration::rep>(amount);
    }
    return std::nullopt;
}

}  // namespace

std::string text_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::uint64_t number_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_number() ? at->get<std::uint64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_boolean() && at->get<bool>();
}

std::optional<TimePoint> time_of(const Json& object, const char* key) {
    if (!object.contains(key))
        return std::nullopt;
    return TimePoint{Duration{static_cast<Duration::rep>(number_of(object, key))}};
}

TimePoint now() {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return TimePoint{std::chrono::duration_cast<Duration>(std::chrono::seconds{time.tv_sec} +
                                                          std::chrono::nanoseconds{time.tv_nsec})};
}

std::string elapsed_since(const std::optional<TimePoint>& time) {
    return time ? render::duration(now() - *time) : std::string{};
}

std::string wall_clock(std::uint64_t usec) {
    const auto seconds = static_cast<std::time_t>(usec / 1000000);
    std::tm local{};
    if (usec == 0 || localtime_r(&seconds, &local) == nullptr)
        return {};
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

void print_json(const Json& json) {
    print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw Stop{kExitFailure, "cannot write to standard output"};
}

Duration parse_span(const std::string& text) {
    std::string_view rest = text;
    Duration sum{};
    while (!rest.empty()) {
        const auto part = take_span(rest);
        if (!part)
            throw Stop{kExitUsage, "'" + text + "' is not a time span such as 90s or 1h 30min"};
        sum += *part;
        while (!rest.empty() && rest[0] == ' ')
            rest.remove_prefix(1);
    }
    if (sum <= Duration::zero() || sum > kLongestSpan)
        throw Stop{kExitUsage, "'" + text + "' is not a time span such as 90s or 1h 30min"};
    return sum;
}

}  // namespace guestd::ctl
