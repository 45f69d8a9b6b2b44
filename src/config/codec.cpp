// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/codec.hpp"

#include <fmt/format.h>

#include <cmath>

#include "config/size.hpp"
#include "config/span.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

tl::unexpected<Complaint> wrong(const Node& node, std::string reason = {}) {
    return tl::unexpected{Complaint{node.place, shown(node), std::move(reason)}};
}

bool within(std::int64_t value, const Limits& limits) {
    return value >= limits.low && value <= limits.high;
}

Duration span_limit(std::int64_t limit) {
    return Duration{limit};
}

}  // namespace

Parsed<bool> Boolean::parse(const Node& node, const Limits&) {
    if (const auto* value = node.as<bool>())
        return *value;
    return wrong(node);
}

Parsed<std::int64_t> Integer::parse(const Node& node, const Limits& limits) {
    const auto* value = node.as<std::int64_t>();
    if (value == nullptr || !within(*value, limits))
        return wrong(node);
    return *value;
}

std::string Integer::allowed(const Limits& limits) {
    return fmt::format("a whole number from {} to {}", limits.low, limits.high);
}

Parsed<double> Percent::parse(const Node& node, const Limits& limits) {
    double value = 0;
    if (const auto* whole = node.as<std::int64_t>())
        value = static_cast<double>(*whole);
    else if (const auto* real = node.as<double>())
        value = *real;
    else
        return wrong(node);
    if (!std::isfinite(value) || value < static_cast<double>(limits.low) ||
        value > static_cast<double>(limits.high))
        return wrong(node);
    return value;
}

std::string Percent::format(double value) {
    if (value == std::floor(value))
        return fmt::format("{:.0f}", value);
    return fmt::format("{}", value);
}

std::string Percent::allowed(const Limits& limits) {
    return fmt::format("a percentage from {} to {}, 0 = off", limits.low, limits.high);
}

Parsed<Duration> Span::parse(const Node& node, const Limits& limits) {
    if (const auto* seconds = node.as<std::int64_t>()) {
        // Compared in seconds first, so that the product below cannot overflow.
        if (*seconds < 0 || *seconds > limits.high / 1'000'000 ||
            !within(*seconds * 1'000'000, limits))
            return wrong(node);
        return std::chrono::seconds{*seconds};
    }
    const auto* text = node.as<std::string>();
    if (text == nullptr)
        return wrong(node);
    const auto span = parse_span(*text);
    if (!span)
        return wrong(node, span.error());
    if (!within(span->count(), limits))
        return wrong(node);
    return *span;
}

std::string Span::format(Duration value) {
    return fmt::format("\"{}\"", format_span(value));
}

std::string Span::allowed(const Limits& limits) {
    return fmt::format("a time from {} to {}, as in \"90s\" or \"1h 30min\"",
                       format_span(span_limit(limits.low)), format_span(span_limit(limits.high)));
}

Parsed<Bytes> Size::parse(const Node& node, const Limits& limits) {
    if (const auto* bytes = node.as<std::int64_t>()) {
        if (!within(*bytes, limits))
            return wrong(node);
        return Bytes{static_cast<std::uint64_t>(*bytes)};
    }
    const auto* text = node.as<std::string>();
    if (text == nullptr)
        return wrong(node);
    const auto size = parse_size(*text);
    if (!size)
        return wrong(node, size.error());
    if (!within(static_cast<std::int64_t>(size->count), limits))
        return wrong(node);
    return *size;
}

std::string Size::format(Bytes value) {
    return fmt::format("\"{}\"", format_size(value));
}

std::string Size::allowed(const Limits& limits) {
    return fmt::format("a size up to {}, as in \"512MiB\" or \"1GiB\"",
                       format_size(Bytes{static_cast<std::uint64_t>(limits.high)}));
}

Parsed<ParallelLimit> ParallelLimitCodec::parse(const Node& node, const Limits& limits) {
    if (const auto* text = node.as<std::string>(); text != nullptr && *text == "auto")
        return ParallelLimit{0, true};
    return Integer::parse(node, limits).map([](std::int64_t most) {
        return ParallelLimit{static_cast<unsigned>(most), false};
    });
}

std::string ParallelLimitCodec::format(const ParallelLimit& value) {
    return value.automatic ? "\"auto\"" : std::to_string(value.most);
}

std::string ParallelLimitCodec::allowed(const Limits& limits) {
    return Integer::allowed(limits) + " (0 = no limit), or \"auto\"";
}

}  // namespace guestd::config
