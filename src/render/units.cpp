// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace guestd::render {
namespace {

using namespace std::chrono_literals;
using Whole = std::chrono::duration<std::int64_t>;

/// "1min 3s" from 63 in seconds-per-unit; the small part is left out when it is zero.
std::string two(std::int64_t amount, std::int64_t per_unit, const char* unit, const char* rest) {
    const std::int64_t small = amount % per_unit;
    if (small == 0)
        return fmt::format("{}{}", amount / per_unit, unit);
    return fmt::format("{}{} {}{}", amount / per_unit, unit, small, rest);
}

}  // namespace

// Rounded to what is shown before the unit is chosen, so that 59.97s becomes 1min and never "60s".
std::string duration(Duration span) {
    if (span < Duration::zero())
        return "-" + duration(-span);
    if (span == Duration::zero())
        return "0s";
    const auto ms = std::chrono::round<std::chrono::milliseconds>(span);
    if (ms < 1ms)
        return fmt::format("{}us", span.count());
    if (ms < 1s)
        return fmt::format("{}ms", ms.count());
    const auto tenths = std::chrono::round<std::chrono::duration<std::int64_t, std::deci>>(span);
    if (tenths < 10s)
        return tenths.count() % 10 == 0
                   ? fmt::format("{}s", tenths.count() / 10)
                   : fmt::format("{}.{}s", tenths.count() / 10, tenths.count() % 10);
    const std::int64_t seconds = std::chrono::round<Whole>(span).count();
    if (seconds < 60)
        return fmt::format("{}s", seconds);
    if (seconds < 3600)
        return two(seconds, 60, "min", "s");
    const std::int64_t minutes = (seconds + 30) / 60;
    if (minutes < std::int64_t{24} * 60)
        return two(minutes, 60, "h", "min");
    return two((minutes + 30) / 60, 24, "d", "h");
}

std::string bytes(Bytes size) {
    constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(size.count);
    std::size_t unit = 0;
    // 1023.5 would round to 1024 of this unit.
    while (value >= 1023.5 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    const double tenths = std::round(value * 10) / 10;
    if (tenths >= 100 || tenths == std::floor(tenths))
        return fmt::format("{:.0f} {}", value, kUnits[unit]);
    return fmt::format("{:.1f} {}", tenths, kUnits[unit]);
}

std::string rate(Bytes size, Duration span) {
    if (span <= Duration::zero())
        return {};
    const double seconds = std::chrono::duration<double>(span).count();
    const double per_second = static_cast<double>(size.count) / seconds;
    return bytes(Bytes{static_cast<std::uint64_t>(per_second)}) + "/s";
}

std::string count(std::size_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

}  // namespace guestd::render
