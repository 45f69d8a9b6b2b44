// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The sysconfig file: NAME=value lines as shells and systemd's EnvironmentFile= read them. It is
/// parsed, never run: what a shell would expand or execute is refused, with its place, instead of
/// being taken to mean something else.

#include <string>
#include <vector>

#include "config/layer.hpp"
#include "config/problem.hpp"

namespace guestd::config {

struct Variable {
    std::string name;
    std::string value;
    Place place;  ///< of the name
    Place value_place;
};

/// In the order of the text; a name may come twice. Lines that cannot be read are left out and
/// appended to `problems`.
std::vector<Variable> parse_sysconfig(const std::string& file, const std::string& text,
                                      Problems& problems);

/// The variables of libvirt-guests in our terms (docs/configuration.md has the table). `deadline`
/// is the global deadline of a drain: SHUTDOWN_TIMEOUT=0, "wait as long as it takes", becomes as
/// long as that leaves.
Layer compile_sysconfig(const std::string& file, const std::vector<Variable>& variables,
                        Duration deadline, Problems& problems);

}  // namespace guestd::config
