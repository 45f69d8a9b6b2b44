// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Codecs: for each type of setting, how a Node becomes a value, how the value is written again,
/// and what is allowed, in words. `format` and `parse` are each other's reverse.
///
/// A codec is a struct without state: `type`, `shape`, `parse`, `format`, `allowed`.

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "config/node.hpp"
#include "guestd/policy.hpp"

namespace guestd::config {

/// Smallest and largest value of a number; of a time in microseconds, of a size in bytes.
struct Limits {
    std::int64_t low = 0;
    std::int64_t high = 0;
};

/// Why a value cannot be: where, what stands there, and what is wrong with it ("" = plainly the
/// wrong type or out of range; what is allowed then says it all).
struct Complaint {
    Place place;
    std::string found;
    std::string reason;
};
template <class T>
using Parsed = tl::expected<T, Complaint>;

/// What a text without types (metadata, a command line) must be turned into before it is parsed.
enum class Shape { text, boolean, number, list };

struct Boolean {
    using type = bool;
    static constexpr Shape shape = Shape::boolean;
    static Parsed<bool> parse(const Node& node, const Limits& limits);
    static std::string format(bool value) { return value ? "true" : "false"; }
    static std::string allowed(const Limits&) { return "true or false"; }
};

struct Integer {
    static constexpr Shape shape = Shape::number;
    static Parsed<std::int64_t> parse(const Node& node, const Limits& limits);
    static std::string allowed(const Limits& limits);
};
template <std::integral T>
struct Whole : Integer {
    using type = T;
    static Parsed<T> parse(const Node& node, const Limits& limits) {
        return Integer::parse(node, limits).map([](std::int64_t v) { return static_cast<T>(v); });
    }
    static std::string format(T value) { return std::to_string(value); }
};

struct Percent {
    using type = double;
    static constexpr Shape shape = Shape::number;
    static Parsed<double> parse(const Node& node, const Limits& limits);
    static std::string format(double value);
    static std::string allowed(const Limits& limits);
};

/// A time: text as in span.hpp, or a number of seconds.
struct Span {
    using type = Duration;
    static constexpr Shape shape = Shape::text;
    static Parsed<Duration> parse(const Node& node, const Limits& limits);
    static std::string format(Duration value);
    static std::string allowed(const Limits& limits);
};

/// A size: text as in size.hpp, or a number of bytes.
struct Size {
    using type = Bytes;
    static constexpr Shape shape = Shape::text;
    static Parsed<Bytes> parse(const Node& node, const Limits& limits);
    static std::string format(Bytes value);
    static std::string allowed(const Limits& limits);
};

/// boot.max_parallel: a number, or "auto".
struct ParallelLimit {
    unsigned most = 0;
    bool automatic = false;
};
struct ParallelLimitCodec {
    using type = ParallelLimit;
    static constexpr Shape shape = Shape::number;
    static Parsed<ParallelLimit> parse(const Node& node, const Limits& limits);
    static std::string format(const ParallelLimit& value);
    static std::string allowed(const Limits& limits);
};

/// Lists. A single string is a list of one.
template <class T>
struct ListCodec {
    using type = std::vector<T>;
    static constexpr Shape shape = Shape::list;
    static Parsed<type> parse(const Node& node, const Limits& limits);
    static std::string format(const type& value);
    static std::string allowed(const Limits&);
};
using LadderCodec = ListCodec<Step>;
using ProbeCodec = ListCodec<Probe>;
using NeedCodec = ListCodec<Need>;
/// Strings are globs over guest names, or libvirt URIs.
struct GlobCodec : ListCodec<std::string> {
    static Parsed<type> parse(const Node& node, const Limits& limits);
    static std::string allowed(const Limits&);
};
struct UriCodec : ListCodec<std::string> {
    static Parsed<type> parse(const Node& node, const Limits& limits);
    static std::string allowed(const Limits&);
};

}  // namespace guestd::config
