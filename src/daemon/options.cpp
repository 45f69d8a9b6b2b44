// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "daemon/user_session.hpp"

namespace guestd::daemon {
namespace {

/// What systemd shows as INVALIDARGUMENT (systemd.exec(5)).
constexpr int kExitUsage = 2;

/// Returns false, and says why, where the environment is not that of a user's session.
bool settle_for_user(Options& options, bool own_state_dir) {
    auto folders = user_folders();
    options.bus = options.bus == BusChoice::none ? BusChoice::none : BusChoice::user;
    options.sysconfig = false;
    options.config_dir = std::move(folders.config);
    options.runtime_dir = std::move(folders.runtime);
    if (!own_state_dir)
        options.state_dir = std::move(folders.state);
    if (!options.config_dir.empty() && !options.runtime_dir.empty() && !options.state_dir.empty())
        return true;
    std::fprintf(stderr, "guestd --user needs HOME and XDG_RUNTIME_DIR\n");
    return false;
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& code) {
    CLI::App app{"guestd brings libvirt guests back at host boot and stops them at host shutdown"};
    Options options;
    bool no_sysconfig = false;
    // systemd gives the folder of StateDirectory= in the environment.
    if (const char* dir = std::getenv("STATE_DIRECTORY"); dir != nullptr && *dir == '/')
        options.state_dir = dir;
    if (const char* dir = std::getenv("RUNTIME_DIRECTORY"); dir != nullptr && *dir == '/')
        options.runtime_dir = dir;
    app.set_version_flag("--version", "guestd " GUESTD_VERSION);
    app.add_option("--config", options.config_files,
                   "TOML file to read instead of the system's configuration; weakest first")
        ->option_text("FILE...");
    app.add_flag("--no-sysconfig", no_sysconfig,
                 "do not read /etc/sysconfig/guestd or /etc/default/guestd");
    app.add_flag(
        "--user", options.user,
        "a user's own guestd, for the guests of qemu:///session: folders by the XDG rules, "
        "on the user's bus");
    const auto* state_dir = app.add_option("--state-dir", options.state_dir, "folder of the state")
                                ->option_text("FOLDER [" + options.state_dir + "]");
    app.add_option("--bus", options.bus, "where to offer org.guestd1: system, user or none")
        ->option_text("BUS [system]")
        ->transform(CLI::CheckedTransformer(std::map<std::string, BusChoice>{
            {"system", BusChoice::system}, {"user", BusChoice::user}, {"none", BusChoice::none}}));
    app.add_flag("--check-config", options.check_config,
                 "check the configuration, print every problem, and exit");
    app.add_flag("--safe-boot", options.safe_boot,
                 "start no guest; the resume list is kept for later");
    app.add_flag("--hold-autostart", options.hold_autostart,
                 "for the boot: keep libvirt from starting its autostart guests");
    app.add_flag(
        "--finish-drain", options.finish_drain,
        "for guestd-finish.service: if the host goes down, finish what a killed guestd left");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        code = app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
        return std::nullopt;
    }
    options.sysconfig = !no_sysconfig;
    if (options.user && !settle_for_user(options, state_dir->count() > 0)) {
        code = EXIT_FAILURE;
        return std::nullopt;
    }
    return options;
}

}  // namespace guestd::daemon
