// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/addresses.hpp"

#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "sensors/words.hpp"

namespace guestd::sensors {
namespace {

/// A name with more addresses than this is not a guest's.
constexpr std::size_t kMostAddresses = 8;

struct FreeList {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

/// getaddrinfo's code.
int resolve(const std::string& host, std::uint16_t port, int flags, std::vector<Address>& list) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (code != 0)
        return code;
    const std::unique_ptr<addrinfo, FreeList> owner{found};
    for (; found != nullptr && list.size() < kMostAddresses; found = found->ai_next) {
        Address address;
        if (found->ai_addrlen > sizeof address.storage)
            continue;
        std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
        address.size = found->ai_addrlen;
        list.push_back(address);
    }
    return 0;
}

}  // namespace

std::optional<Addresses> numeric_addresses(const std::string& host, std::uint16_t port) {
    const bool brackets = host.starts_with('[') && host.ends_with(']');
    Addresses addresses;
    if (resolve(brackets ? host.substr(1, host.size() - 2) : host, port, AI_NUMERICHOST,
                addresses.list) != 0)
        return std::nullopt;
    return addresses;
}

Addresses look_up(const std::string& host, std::uint16_t port) {
    Addresses addresses;
    const int code = resolve(host, port, 0, addresses.list);
    if (code == EAI_SYSTEM)
        addresses.problem = host + ": " + words(errno);
    else if (code != 0)
        addresses.problem = host + ": " + lower_first(::gai_strerror(code));
    else if (addresses.list.empty())
        addresses.problem = host + " has no address";
    return addresses;
}

}  // namespace guestd::sensors
