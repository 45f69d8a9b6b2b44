// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Opening connections.

#include <string>

#include "guestd/error.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Connects and turns keepalive on, so that a libvirtd that no longer answers breaks the
/// connection instead of blocking its calls for ever. Blocks, and for minutes while libvirtd
/// autostarts guests: it takes clients only afterwards, and keepalive does not cover that time.
Result<ConnectPtr> connect(const std::string& uri);

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
