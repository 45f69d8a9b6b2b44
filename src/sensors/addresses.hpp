// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace guestd::sensors {

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

struct Addresses {
    std::vector<Address> list;
    std::string problem;  ///< why the list is empty, for people
};

/// Of a host written as numbers: IPv4, or IPv6, in brackets or not, with a scope ("fe80::1%br0") or
/// not. Empty when it is a name. Does not block.
std::optional<Addresses> numeric_addresses(const std::string& host, std::uint16_t port);

/// Of a name, in the order to try them. Blocks for as long as name servers please.
Addresses look_up(const std::string& host, std::uint16_t port);

}  // namespace guestd::sensors
