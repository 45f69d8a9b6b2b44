// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace guestd::ctl {

/// Adds --trigger, with all that a drain can be asked for with.
inline void add_trigger(CLI::App& verb, std::string& into, const std::string& help) {
    // In the order of guestd.toml(5), which is that of likelihood.
    constexpr const char* kTriggers[] = {"reboot",      "poweroff",    "halt",
                                         "kexec",       "soft-reboot", "ups",
                                         "maintenance", "session-end", "manual"};
    std::string all;
    for (const auto* trigger : kTriggers)
        all += (all.empty() ? "" : ", ") + std::string{trigger};
    verb.add_option("--trigger", into,
                    help + ": " + all + (into.empty() ? "" : "; usually " + into))
        ->option_text("REASON")
        ->check(
            CLI::IsMember(std::vector<std::string>(std::begin(kTriggers), std::end(kTriggers))));
}

}  // namespace guestd::ctl
