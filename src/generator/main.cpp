// SPDX-License-Identifier: LGPL-2.1-or-later
//
// guestd-generator, for systemd.generator(7): systemd runs it at boot and at each daemon-reload,
// before it loads units. guestd.service has no network; where the configuration needs one, it gets
// a drop-in that gives it back. When in doubt it does: a sandbox too wide harms less than a guest
// that is not looked after. Reads local files and talks to nobody.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/config.hpp"
#include "config/sysconfig.hpp"

namespace {

namespace config = guestd::config;
namespace fs = std::filesystem;

constexpr const char* kDropIn = R"([Service]
PrivateNetwork=no
IPAddressDeny=
RestrictAddressFamilies=AF_INET AF_INET6
)";

/// Another configuration than the system's: which, only the unit's command line tells.
bool names_files(const config::Sources& sources) {
    config::Problems ignored;
    for (const auto& source : config::read_sources(sources, ignored))
        if (source.kind == config::SourceKind::sysconfig)
            for (const auto& variable : config::parse_sysconfig(source.name, *source.text, ignored))
                if (variable.name == "GUESTD_ARGS" &&
                    variable.value.find("--config") != std::string::npos)
                    return true;
    return false;
}

/// Why guestd needs the network; "" when it does not.
std::string need() try {
    const auto sources = config::default_sources();
    if (names_files(sources))
        return "GUESTD_ARGS names a configuration of its own";
    const auto loaded = config::Config::load(sources);
    // guestd then runs on its last good one, which lies in its database.
    if (!loaded)
        return "the configuration is refused: " + config::render_problem(loaded.error().front());
    const auto found = (*loaded)->network_need();
    return found ? config::render_problem(*found) : "";
} catch (const std::exception& error) {
    std::fprintf(stderr, "guestd-generator: %s\n", error.what());
    return "the configuration cannot be judged";
}

bool write_drop_in(const fs::path& folder, const std::string& why) {
    std::error_code error;
    fs::create_directories(folder, error);
    std::ofstream file{folder / "50-network.conf"};
    file << "# Written by guestd-generator: " << why << '\n' << kDropIn;
    file.close();
    if (!file)
        std::fprintf(stderr, "guestd-generator: %s cannot be written\n", folder.c_str());
    return !!file;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "guestd-generator is run by systemd; see guestd(8)\n");
        return 1;
    }
    const auto why = need();
    if (why.empty())
        return 0;
    bool written = true;
    for (const char* unit : {"guestd.service.d", "guestd-finish.service.d"})
        written = write_drop_in(fs::path{argv[1]} / unit, why) && written;
    return written ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "guestd-generator: %s\n", error.what());
    return 1;
}
