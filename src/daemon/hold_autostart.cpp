// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/hold_autostart.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "daemon/marks.hpp"
#include "daemon/settings.hpp"

namespace guestd::daemon {
namespace {

namespace fs = std::filesystem;

/// Drivers with an autostart pass, by the scheme of their URI, and their folder of /run/libvirt.
/// Only the host's own daemons: a remote host's autostart is that host's business.
constexpr std::pair<std::string_view, const char*> kDrivers[] = {
    {"qemu:///system", "qemu"}, {"lxc:///", "lxc"},         {"lxc:///system", "lxc"},
    {"xen:///", "libxl"},       {"xen:///system", "libxl"},
};

bool wants_throttle(const config::Config& config, const std::string& uri) {
    const GuestFacts any{.uri = uri, .uuid = {}, .name = {}, .metadata = {}};
    return config.guest(any, std::nullopt).start.autostart == AutostartMode::throttle;
}

bool make_marker(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    const fs::path marker = folder / "autostarted";
    std::ofstream{marker};
    fs::permissions(marker, fs::perms::owner_read | fs::perms::owner_write, error);
    if (fs::exists(marker, error))
        return true;
    std::fprintf(stderr, "%s could not be made: libvirt will start its autostart guests itself\n",
                 marker.c_str());
    return false;
}

}  // namespace

int hold_autostart(const Options& options, const std::string& libvirt_dir) {
    const Marks marks{options.runtime_dir};
    for (const auto* old : {Marks::kSafeBoot, Marks::kBootRun, Marks::kDrained, Marks::kUris})
        marks.clear(old);  // a soft reboot keeps them
    marks.set(Marks::kNewBoot);
    const auto settings = load_settings(options, std::nullopt);
    if (!settings.degraded.empty()) {
        std::fprintf(stderr, "%s; libvirt starts its autostart guests itself\n",
                     settings.problems.front().c_str());
        return 0;
    }
    bool made = true;
    for (const auto& uri : settings.config->daemon().uris)
        for (const auto& [driver_uri, folder] : kDrivers)
            if (uri == driver_uri && wants_throttle(*settings.config, uri))
                made = make_marker(fs::path{libvirt_dir} / folder) && made;
    return made ? 0 : 1;
}

}  // namespace guestd::daemon
