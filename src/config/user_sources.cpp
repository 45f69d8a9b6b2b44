// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/user_sources.hpp"

#include <cstdlib>
#include <utility>

namespace guestd::config {
namespace {

/// systemd gives all services of a user together two minutes to stop (user@.service), which nobody
/// can extend: 90 s leave some for whatever stops before and after.
constexpr const char* kUserDefaults = R"([daemon]
uris = ["qemu:///session"]

[shutdown]
stop = ["save 1min", "shutdown 20s", "destroy"]
deadline = "90s"
)";

}  // namespace

// As the XDG rules have it: a path that is not absolute is as good as none.
std::string xdg_folder(const char* variable, const char* below_home) {
    const char* const given = std::getenv(variable);
    if (given != nullptr && *given == '/')
        return std::string{given} + "/guestd";
    const char* const home = std::getenv("HOME");
    if (below_home == nullptr || home == nullptr || *home != '/')
        return {};
    return std::string{home} + below_home + "/guestd";
}

std::string user_config_folder() {
    return xdg_folder("XDG_CONFIG_HOME", "/.config");
}

Sources user_sources(const std::string& config_folder) {
    auto sources = text_source(kUserDefaults, "built-in (--user)");
    if (config_folder.empty())
        return sources;
    auto files = folder_sources(config_folder);
    for (auto& file : files.list)
        sources.list.push_back(std::move(file));
    sources.problems = std::move(files.problems);
    return sources;
}

}  // namespace guestd::config
