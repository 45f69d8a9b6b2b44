// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Opening connections.

#include <chrono>
#include <string>
#include <unordered_map>

#include "guestd/error.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Blocks, and for minutes while libvirtd autostarts guests: it takes clients only afterwards.
Result<ConnectPtr> connect(const std::string& uri);

/// To be called once per connection: a libvirtd that no longer answers then breaks the connection
/// instead of blocking its calls for ever. False for a driver that has no daemon, and then no
/// connection that could break. Does not block.
bool keep_alive(virConnectPtr connection);

/// A worker's own connection, opened when first needed and again when found dead.
class Connection {
public:
    explicit Connection(std::string uri) : uri_(std::move(uri)) {}

    /// Blocks as connect(). The pointer is valid until the next call of a member.
    Result<virConnectPtr> open();
    /// The guest's handle on the open connection; null with last_fault(). Blocks.
    ///
    /// A handle is no more than a UUID that libvirt once knew. When many guests are asked for in a
    /// row, one listing gives the handles of all and saves a round trip for each; that one of them
    /// has gone since, its next call tells.
    DomainPtr find(const Uuid& uuid);
    void close();

private:
    /// Guests that were asked for within a moment.
    struct Burst {
        std::chrono::steady_clock::time_point since{};
        unsigned asked = 0;
        std::unordered_map<Uuid, DomainPtr> handles = {};
    };
    void list();

    std::string uri_;
    ConnectPtr handle_;
    Burst burst_;  ///< goes before the connection
};

}  // namespace guestd::libvirt
