// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/user_session.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "config/user_sources.hpp"
#include "daemon/marks.hpp"
#include "daemon/settings.hpp"

namespace guestd::daemon {
namespace {

namespace fs = std::filesystem;

Result<void> make_folder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (!error)
        fs::permissions(path, fs::perms::owner_all, error);
    if (error)
        return fail(ErrorCode::io, path + ": " + error.message());
    return {};
}

/// The user's systemd: its process id and the time of its start. "" when it did not start us.
std::string session_identity() {
    const char* const manager = std::getenv("MANAGERPID");
    if (manager == nullptr)
        return {};
    std::ifstream file{std::string{"/proc/"} + manager + "/stat"};
    std::string text;
    std::getline(file, text);
    // proc(5): the name, in brackets, may hold anything; the start time is the 20th field after it.
    std::istringstream rest{text.substr(std::min(text.rfind(')') + 1, text.size()))};
    std::string field;
    for (int number = 0; number < 20; ++number)
        rest >> field;
    return std::string{manager} + " " + field;
}

bool throttles(const Options& options) {
    const auto settings = load_settings(options, std::nullopt);
    const GuestFacts any{.uri = "qemu:///session", .uuid = {}, .name = {}, .metadata = {}};
    return settings.degraded.empty() &&
           settings.config->guest(any, std::nullopt).start.autostart == AutostartMode::throttle;
}

/// The once-per-boot marker of libvirt's session daemon, beside our own runtime folder. Where it
/// cannot be made, libvirt starts its guests itself, as without guestd.
void hold_session_autostart(const std::string& runtime_dir) {
    const auto folder = fs::path{runtime_dir}.parent_path() / "libvirt" / "qemu" / "run";
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    std::ofstream{folder / "autostarted"};
}

}  // namespace

UserFolders user_folders() {
    return {.config = config::user_config_folder(),
            .state = config::xdg_folder("XDG_STATE_HOME", "/.local/state"),
            .runtime = config::xdg_folder("XDG_RUNTIME_DIR", nullptr)};
}

Result<void> begin_user_session(const Options& options) {
    for (const auto& folder : {options.state_dir, options.runtime_dir})
        if (auto made = make_folder(folder); !made)
            return made;
    const Marks marks{options.runtime_dir};
    const std::string session = session_identity();
    const auto known = marks.lines(Marks::kSession);
    if (std::ranges::find(known, session) != known.end())
        return {};
    for (const auto* old : {Marks::kSafeBoot, Marks::kBootRun, Marks::kDrained, Marks::kUris})
        marks.clear(old);
    marks.set(Marks::kNewBoot);
    if (throttles(options))
        hold_session_autostart(options.runtime_dir);
    marks.add_line(Marks::kSession, session);
    return {};
}

}  // namespace guestd::daemon
