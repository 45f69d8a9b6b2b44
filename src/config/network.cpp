// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "config/config.hpp"
#include "config/probe.hpp"
#include "config/text.hpp"
#include "core/local_uri.hpp"

namespace guestd::config {
namespace {

/// What an assignment needs the network for, "" when nothing.
std::string need_of(const Assignment& assignment, const DaemonPolicy& daemon) {
    if (assignment.key->name == "daemon.uris") {
        const auto& uris = std::any_cast<const std::vector<std::string>&>(assignment.value);
        const auto remote = std::ranges::find_if_not(uris, core::is_local);
        // The global tables are merged once: a list that a stronger one has replaced is nobody's.
        return remote != uris.end() && uris == daemon.uris ? in_quotes(*remote) : "";
    }
    if (assignment.key->name == "boot.ready") {
        const auto& probes = std::any_cast<const std::vector<Probe>&>(assignment.value);
        const auto probe = std::ranges::find_if(probes, needs_network);
        return probe != probes.end() ? in_quotes(format_probe(*probe)) : "";
    }
    return {};
}

}  // namespace

bool needs_network(const Probe& probe) {
    return probe.kind == ProbeKind::tcp || probe.kind == ProbeKind::exec;
}

// A probe that a stronger layer replaces for every guest counts all the same: which guests there
// are is not known here.
std::optional<Problem> Config::network_need() const {
    for (const auto& layer : layers_)
        for (const auto& assignment : layer.assignments)
            if (const auto need = need_of(assignment, daemon_); !need.empty())
                return Problem{layer.file, assignment.place.line, assignment.place.column,
                               need + " needs the network"};
    return std::nullopt;
}

}  // namespace guestd::config
