// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/size.hpp"
#include "config/span.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

using Parsed = tl::expected<Probe, std::string>;

constexpr auto kProbes = std::to_array<std::string_view>(
    {"running", "agent", "address", "io-settle", "tcp", "exec", "delay"});

tl::unexpected<std::string> wrong(std::string text) {
    return tl::unexpected<std::string>{std::move(text)};
}

Parsed parse_tcp(std::string_view argument) {
    const auto colon = argument.rfind(':');
    const auto port_text = colon == std::string_view::npos ? argument : argument.substr(colon + 1);
    auto host = colon == std::string_view::npos ? std::string_view{} : argument.substr(0, colon);
    if (port_text.empty() || port_text.size() > 5 || !std::ranges::all_of(port_text, is_digit))
        return wrong("tcp needs a port from 1 to 65535, as in tcp:22");
    unsigned port = 0;
    for (const char digit : port_text)
        port = port * 10 + static_cast<unsigned>(digit - '0');
    if (port == 0 || port > 65535)
        return wrong("a port is from 1 to 65535");
    if (colon != std::string_view::npos && host.empty())
        return wrong("the host is empty; leave out its colon for the guest's own address");
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return wrong("an IPv6 address stands in brackets, as in tcp:[::1]:22");
    return Probe{.kind = ProbeKind::tcp,
                 .target = std::string{host},
                 .port = static_cast<std::uint16_t>(port)};
}

Parsed parse_settle(std::string_view argument) {
    Probe probe{.kind = ProbeKind::io_settle, .span = kIoSettleSpan, .rate = kIoSettleRate};
    if (argument.empty())
        return probe;
    const auto colon = std::min(argument.find(':'), argument.size());
    const auto rate = parse_size(argument.substr(0, colon));
    if (!rate)
        return wrong(fmt::format("its rate is no size: {}", rate.error()));
    probe.rate = *rate;
    if (colon < argument.size()) {
        const auto span = parse_span(argument.substr(colon + 1));
        if (!span)
            return wrong(fmt::format("its time is no time: {}", span.error()));
        probe.span = *span;
    }
    return probe;
}

Parsed parse_delay(std::string_view argument) {
    const auto span = parse_span(argument);
    if (!span)
        return wrong(fmt::format("its time is no time: {}", span.error()));
    return Probe{.kind = ProbeKind::delay, .span = *span};
}

Parsed parse_exec(std::string_view argument) {
    if (!argument.starts_with('/'))
        return wrong("exec needs an absolute path");
    return Probe{.kind = ProbeKind::exec, .target = std::string{argument}};
}

Parsed plain(ProbeKind kind, bool has_argument) {
    if (has_argument)
        return wrong("it takes no argument");
    return Probe{.kind = kind};
}

}  // namespace

tl::expected<Probe, std::string> parse_probe(std::string_view text) {
    const auto whole = trim(text);
    const auto colon = std::min(whole.find(':'), whole.size());
    const auto word = whole.substr(0, colon);
    const bool has_argument = colon < whole.size();
    const auto argument = has_argument ? whole.substr(colon + 1) : std::string_view{};
    if (word == "running")
        return plain(ProbeKind::running, has_argument);
    if (word == "agent")
        return plain(ProbeKind::agent, has_argument);
    if (word == "address")
        return plain(ProbeKind::address, has_argument);
    if (word == "io-settle")
        return parse_settle(argument);
    if (word == "tcp")
        return parse_tcp(argument);
    if (word == "exec")
        return parse_exec(argument);
    if (word == "delay")
        return parse_delay(argument);
    return wrong(fmt::format("unknown probe {}{}", in_quotes(word), suggestion(word, kProbes)));
}

std::string format_probe(const Probe& probe) {
    switch (probe.kind) {
        case ProbeKind::running:
            return "running";
        case ProbeKind::agent:
            return "agent";
        case ProbeKind::address:
            return "address";
        case ProbeKind::io_settle:
            if (probe.rate == kIoSettleRate && probe.span == kIoSettleSpan)
                return "io-settle";
            return fmt::format("io-settle:{}:{}", format_size(probe.rate), format_span(probe.span));
        case ProbeKind::tcp:
            if (probe.target.empty())
                return fmt::format("tcp:{}", probe.port);
            if (probe.target.find(':') != std::string::npos)
                return fmt::format("tcp:[{}]:{}", probe.target, probe.port);
            return fmt::format("tcp:{}:{}", probe.target, probe.port);
        case ProbeKind::exec:
            return "exec:" + probe.target;
        case ProbeKind::delay:
            return "delay:" + format_span(probe.span);
    }
    return "?";
}

}  // namespace guestd::config
