// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Readiness probes and start gates in their short text form.
///
/// Probes: "running", "agent", "address", "io-settle[:RATE[:FOR]]", "tcp:[HOST:]PORT", "exec:PATH",
/// "delay:SPAN". An IPv6 host stands in brackets, "tcp:[::1]:22".
/// Gates: "mount:PATH", "path:PATH", "pool:NAME", "network:NAME", "unit:NAME.SUFFIX".

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "guestd/policy.hpp"

namespace guestd::config {

/// The error says what is wrong with the text, as the end of a sentence.
tl::expected<Probe, std::string> parse_probe(std::string_view text);
/// parse_probe reads it back.
std::string format_probe(const Probe& probe);

tl::expected<Need, std::string> parse_need(std::string_view text);
std::string format_need(const Need& need);

/// Whether the network is needed to answer it. What a program needs is not known: it may be.
bool needs_network(const Probe& probe);

}  // namespace guestd::config
