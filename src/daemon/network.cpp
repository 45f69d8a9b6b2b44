// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/network.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "config/probe.hpp"
#include "config/text.hpp"

namespace guestd::daemon {
namespace {

constexpr const char* kNone = ", and the sandbox of guestd.service gives none: ";
constexpr const char* kAgain =
    "\"systemctl daemon-reload\", then \"systemctl restart guestd\" (no guest is touched)";
/// For what the generator does not see.
constexpr const char* kExample =
    "copy /usr/share/guestd/examples/network.conf to /etc/systemd/system/guestd.service.d/, then ";

}  // namespace

bool has_network() {
    const int number = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number < 0)
        return errno != EAFNOSUPPORT;
    ::close(number);
    return true;
}

std::vector<std::string> network_warnings(const config::Config& config, const Options& options) {
    const auto need = config.network_need();
    if (!need || has_network())
        return {};
    const char* const example = options.config_files.empty() ? "" : kExample;
    return {config::render_problem(*need) + kNone + example + kAgain};
}

std::vector<std::string> network_warnings(const config::Config& config, const Machine& machine) {
    // What the configuration needs has been said, and helps these guests, too.
    if (config.network_need() || has_network())
        return {};
    std::string first;
    unsigned others = 0;
    for (const auto& uri : machine.uris())
        for (const auto* guest : uri.guests) {
            if (guest->metadata.empty())
                continue;
            const auto policy =
                config.guest({uri.uri, guest->uuid, guest->name, guest->metadata}, std::nullopt);
            const auto probe = std::ranges::find_if(policy.start.ready, config::needs_network);
            if (probe == policy.start.ready.end())
                continue;
            if (first.empty())
                first = config::in_quotes(guest->name) + " asks for " +
                        config::in_quotes(config::format_probe(*probe)) + " in its metadata";
            else
                ++others;
        }
    if (first.empty())
        return {};
    const auto too = others == 0 ? std::string{} : " (and " + std::to_string(others) + " more)";
    return {first + too + ", which needs the network" + kNone + kExample + kAgain};
}

}  // namespace guestd::daemon
