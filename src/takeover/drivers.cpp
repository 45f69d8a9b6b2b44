// SPDX-License-Identifier: LGPL-2.1-or-later
#include "takeover/drivers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace guestd::takeover {
namespace {

namespace fs = std::filesystem;

constexpr Driver kDrivers[] = {{"QEMU", "qemu:///system", "qemu"},
                               {"LXC", "lxc:///system", "lxc"},
                               {"Xen", "xen:///system", "libxl"}};

/// Short forms that libvirt takes for the same.
constexpr std::pair<std::string_view, std::string_view> kShort[] = {{"lxc:///", "lxc:///system"},
                                                                    {"xen:///", "xen:///system"}};

}  // namespace

std::span<const Driver> drivers() {
    return kDrivers;
}

const Driver* driver_of(std::string_view uri) {
    for (const auto& [brief, whole] : kShort)
        if (uri == brief)
            uri = whole;
    const auto* found = std::ranges::find(kDrivers, uri, &Driver::uri);
    return found == std::end(kDrivers) ? nullptr : found;
}

std::string marker_of(const Driver& driver, const std::string& root) {
    return root + "/run/libvirt/" + std::string{driver.folder} + "/autostarted";
}

std::string autostart_folder_of(const Driver& driver, const std::string& root) {
    return root + "/etc/libvirt/" + std::string{driver.folder} + "/autostart";
}

Result<void> make_marker(const Driver& driver, const std::string& root) {
    const fs::path marker = marker_of(driver, root);
    std::error_code error;
    if (fs::exists(marker, error))
        return {};
    fs::create_directories(marker.parent_path(), error);
    std::ofstream{marker, std::ios::app}.close();
    fs::permissions(marker, fs::perms::owner_read | fs::perms::owner_write, error);
    if (!fs::exists(marker, error))
        return fail(ErrorCode::io, marker.string() + " cannot be made");
    return {};
}

}  // namespace guestd::takeover
