// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>

namespace guestd::daemon {

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
                   "TOML file to read instead of the system's configuration; weakest first");
    app.add_flag("--no-sysconfig", no_sysconfig,
                 "do not read /etc/sysconfig/guestd or /etc/default/guestd");
    app.add_option("--state-dir", options.state_dir, "folder of the state")->capture_default_str();
    app.add_option("--bus", options.bus, "where to offer org.guestd1")
        ->transform(CLI::CheckedTransformer(std::map<std::string, BusChoice>{
            {"system", BusChoice::system}, {"user", BusChoice::user}, {"none", BusChoice::none}}));
    app.add_flag("--check-config", options.check_config,
                 "check the configuration, print every problem, and exit");
    app.add_flag("--safe-boot", options.safe_boot,
                 "start no guest; the resume list is kept for later");
    app.add_flag("--hold-autostart", options.hold_autostart,
                 "for the boot: keep libvirt from starting its autostart guests");
    app.add_flag("--finish-drain", options.finish_drain,
                 "for ExecStopPost=: if the host goes down, finish what a killed guestd left");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        code = app.exit(error);
        return std::nullopt;
    }
    options.sysconfig = !no_sysconfig;
    return options;
}

}  // namespace guestd::daemon
