// SPDX-License-Identifier: LGPL-2.1-or-later
#include "takeover/host_facts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace guestd::takeover {
namespace {

namespace fs = std::filesystem;

/// Folders in which an administrator's links to units lie.
constexpr const char* kUnitFolders[] = {"/etc/systemd/system", "/run/systemd/system"};
/// systemd keeps a link of this name for every unit that is not inactive.
constexpr const char* kActive = "/run/systemd/units/invocation:";
constexpr const char* kQemuConf = "/etc/libvirt/qemu.conf";
/// The one that libvirt ships has 40 KiB.
constexpr std::size_t kLargestQemuConf = std::size_t{1024} * 1024;

/// Also a link that leads nowhere.
bool is_there(const fs::path& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(path, error));
}

std::vector<fs::path> entries_of(const fs::path& folder, std::error_code& error) {
    std::vector<fs::path> found;
    for (fs::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error))
        found.push_back(at->path());
    return found;
}

bool is_enabled(const std::string& root, const char* unit) {
    bool wanted = false;
    for (const auto* folder : kUnitFolders) {
        std::error_code error;
        if (fs::read_symlink(root + folder + "/" + unit, error) == "/dev/null")
            return false;  // masked
        for (const auto& entry : entries_of(root + folder, error)) {
            const auto kind = entry.extension();
            wanted =
                wanted || ((kind == ".wants" || kind == ".requires") && is_there(entry / unit));
        }
    }
    return wanted;
}

std::optional<unsigned> count_flagged(const Driver& driver, const std::string& root) {
    std::error_code error;
    const auto entries = entries_of(autostart_folder_of(driver, root), error);
    if (error == std::errc::no_such_file_or_directory)
        return 0U;  // libvirt makes it with the first flag
    if (error)
        return std::nullopt;
    return static_cast<unsigned>(std::ranges::count_if(
        entries, [](const auto& entry) { return entry.extension() == ".xml"; }));
}

/// Set up, or run at least once.
bool has_driver(const Driver& driver, const std::string& root) {
    const auto folder = "/libvirt/" + std::string{driver.folder};
    return is_there(root + "/etc" + folder) || is_there(root + "/run" + folder);
}

void read_qemu_conf(HostFacts& host, const std::string& root) {
    const std::string path = root + kQemuConf;
    std::error_code error;
    const auto size = fs::file_size(path, error);  // fails for all that is no plain file
    if (error == std::errc::no_such_file_or_directory)
        return;
    host.qemu_conf_readable = false;
    if (error || size > kLargestQemuConf)
        return;
    std::ostringstream text;
    host.qemu_conf_readable = static_cast<bool>(text << std::ifstream{path}.rdbuf()) || size == 0;
    host.auto_shutdown = auto_shutdown_of(text.str());
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// What stands between the quotes, without which libvirt takes no text.
std::string_view value_in(std::string_view text) {
    const auto quote = text.find_first_of("\"'");
    return quote == std::string_view::npos
               ? text
               : text.substr(quote + 1, text.find(text[quote], quote + 1) - quote - 1);
}

DriverFacts read_driver(const Driver& driver, const config::Config* config,
                        const std::string& root) {
    DriverFacts facts{.driver = driver};
    facts.marker = is_there(marker_of(driver, root));
    facts.flagged = count_flagged(driver, root);
    if (config == nullptr)
        return facts;
    for (const auto& uri : config->daemon().uris) {
        const auto* const of = driver_of(uri);
        if (of == nullptr || of->uri != driver.uri)
            continue;
        const auto setting = autostart_setting(*config, uri);
        facts.configured = true;
        facts.throttle = setting.mode == AutostartMode::throttle;
        facts.setting = facts.throttle ? "throttle" : "leave";
        facts.origin = setting.origin;
    }
    return facts;
}

}  // namespace

const char* to_string(Starter starter) {
    switch (starter) {
        case Starter::guestd:
            return "guestd";
        case Starter::libvirt:
            return "libvirt";
        case Starter::nobody:
            return "nobody";
    }
    return "";
}

Starter starter_of(const DriverFacts& driver, const HostFacts& host) {
    if (!driver.throttle || !host.hold_enabled)
        return Starter::libvirt;
    return host.guestd_enabled ? Starter::guestd : Starter::nobody;
}

HostFacts read_host(const config::Config* config, const std::string& root) {
    HostFacts host;
    for (const auto& driver : drivers()) {
        auto facts = read_driver(driver, config, root);
        if (facts.configured || has_driver(driver, root))
            host.drivers.push_back(std::move(facts));
    }
    host.guestd_enabled = is_enabled(root, kGuestdUnit);
    host.hold_enabled = is_enabled(root, kHoldUnit);
    host.libvirt_guests_enabled = is_enabled(root, kLibvirtGuestsUnit);
    host.libvirt_guests_active = is_there(root + kActive + kLibvirtGuestsUnit);
    read_qemu_conf(host, root);
    return host;
}

AutostartSetting autostart_setting(const config::Config& config, const std::string& uri) {
    const GuestFacts any{.uri = uri, .uuid = {}, .name = {}, .metadata = {}};
    AutostartSetting setting{config.guest(any, std::nullopt).start.autostart, {}};
    for (const auto& value : config.explain(&any, std::nullopt)) {
        if (value.key != "start.autostart" && value.key != "boot.autostart")
            continue;
        const auto& origin = value.origin;
        setting.origin =
            origin.file.empty() ? origin.layer : origin.file + ":" + std::to_string(origin.line);
    }
    return setting;
}

std::vector<const Driver*> throttled_drivers(const config::Config& config) {
    std::vector<const Driver*> found;
    for (const auto& uri : config.daemon().uris) {
        const auto* const driver = driver_of(uri);
        if (driver != nullptr && std::ranges::find(found, driver) == found.end() &&
            autostart_setting(config, uri).mode == AutostartMode::throttle)
            found.push_back(driver);
    }
    return found;
}

std::vector<std::string> auto_shutdown_of(const std::string& text) {
    constexpr const char* kKeys[] = {"auto_shutdown_try_save", "auto_shutdown_try_shutdown",
                                     "auto_shutdown_poweroff"};
    std::map<std::string, std::string, std::less<>> values;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        if (equals == std::string::npos)
            continue;
        values[std::string{trimmed(std::string_view{line}.substr(0, equals))}] =
            value_in(trimmed(std::string_view{line}.substr(equals + 1)));
    }
    std::vector<std::string> found;
    for (const auto* key : kKeys)
        if (const auto at = values.find(key); at != values.end() && at->second != "none")
            found.push_back(std::string{key} + " = \"" + at->second + "\"");
    return found;
}

}  // namespace guestd::takeover
