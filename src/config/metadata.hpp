// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Policy in a guest's own libvirt metadata, namespace urn:guestd:policy:1:
///
///     <policy xmlns="urn:guestd:policy:1">
///       <tag>web</tag>
///       <set key="shutdown.stop" value="save 2min; destroy"/>
///       <set key="tier" value="critical"/>
///     </policy>
///
/// Keys are those of a [[guest]] table, shutdown.on.TRIGGER.KEY included; lists are separated by
/// semicolons. Whoever may define a guest writes this, so nothing in it is trusted: it is bounded,
/// a bad part is left out and reported, never an error; and what reaches out of the guest is
/// refused here: a program of the host (exec:), a move elsewhere (migrate:), a look at the host's
/// files (path:), a connection to another than the guest itself (tcp:HOST:PORT).
///
/// What is read here concerns the guest itself. What guests share is granted by the configuration:
/// config.cpp leaves out whatever asks for more than that, and in a drain any order, since there
/// others would have to wait.

#include <string>
#include <vector>

#include "config/layer.hpp"
#include "config/problem.hpp"

namespace guestd::config {

/// Larger metadata is ignored as a whole.
inline constexpr std::size_t kLargestMetadata = std::size_t{64} * 1024;

/// Behind so many problems no more are told: a person needs no more, and each costs time.
inline constexpr std::size_t kMostProblems = 32;

struct Metadata {
    Layer layer;  ///< of Rank::metadata; places count within the metadata's own text
    std::vector<std::string> tags;
    Problems problems;
};

Metadata parse_metadata(const std::string& xml);

}  // namespace guestd::config
