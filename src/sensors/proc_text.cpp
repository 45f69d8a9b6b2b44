// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/proc_text.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>

#include "sensors/fd.hpp"

namespace guestd::sensors {
namespace {

/// A host with 100,000 mounts has a mountinfo of some 16 MiB; what is larger is not what we think.
constexpr std::size_t kMostBytes = 64UL << 20;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

std::string_view skip_spaces(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return text;
}

}  // namespace

std::optional<std::string> read_text(const std::string& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (!fd)
        return std::nullopt;
    std::string text;
    std::array<char, 16384> part;
    while (text.size() <= kMostBytes) {
        const auto count = ::read(fd.number(), part.data(), part.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return std::nullopt;
        if (count == 0)
            return text;
        text.append(part.data(), static_cast<std::size_t>(count));
    }
    return std::nullopt;
}

std::optional<double> parse_pressure(std::string_view text) {
    constexpr std::string_view kAverage = "avg10=";
    while (!text.empty()) {
        auto line = take_until(text, '\n');
        if (take_until(line, ' ') != "some")
            continue;
        while (!line.empty()) {
            const auto word = take_until(line, ' ');
            if (!word.starts_with(kAverage))
                continue;
            const auto percent = parse_number<double>(word.substr(kAverage.size()));
            // Also keeps out what is no number at all.
            return percent && *percent >= 0 && *percent <= 100 ? percent : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<Bytes> parse_available(std::string_view text) {
    while (!text.empty()) {
        auto line = take_until(text, '\n');
        if (take_until(line, ':') != "MemAvailable")
            continue;
        line = skip_spaces(line);
        const auto count = parse_number<std::uint64_t>(take_until(line, ' '));
        if (!count || skip_spaces(line) != "kB" ||
            *count > std::numeric_limits<std::uint64_t>::max() / 1024)
            return std::nullopt;
        return Bytes{*count * 1024};
    }
    return std::nullopt;
}

}  // namespace guestd::sensors
