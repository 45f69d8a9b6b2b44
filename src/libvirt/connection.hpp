// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Opening connections.

#include <string>
#include <string_view>

#include "guestd/error.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Whether libvirt runs on this host: no host in the URI, and none behind its transport.
bool is_local(std::string_view uri);

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
    void close() { handle_.reset(); }

private:
    std::string uri_;
    ConnectPtr handle_;
};

}  // namespace guestd::libvirt
