// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A libvirtd of one's own: with the test driver, whose guests are instantaneous and live in its
/// memory, or with QEMU's, unprivileged.
///
/// Its socket is made here and handed over as systemd would, so that a client can connect at once
/// and waits in the socket's queue until libvirtd is up: nothing polls, and the socket survives a
/// restart. It runs as an unprivileged user, in a folder of its own. `keeper` holds the test
/// driver's world together: that ends with its last connection.

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <sys/types.h>

#include <filesystem>
#include <string>

#include "guestd/types.hpp"
#include "libvirt/handles.hpp"

namespace guestd::test {

class PrivateLibvirtd {
public:
    enum class Driver { test, qemu };

    explicit PrivateLibvirtd(Driver driver = Driver::test);
    ~PrivateLibvirtd();
    PrivateLibvirtd(const PrivateLibvirtd&) = delete;
    PrivateLibvirtd& operator=(const PrivateLibvirtd&) = delete;

    const std::string& uri() const { return uri_; }
    /// Belongs to the user that libvirtd runs as.
    const std::filesystem::path& folder() const { return folder_; }
    virConnectPtr keeper() const { return keeper_.get(); }

    /// SIGKILL, and reaped.
    void kill();
    /// A new one on the same socket, with a new and empty world (but "test").
    void start();
    void freeze() const;
    void thaw() const;
    /// Nobody listens any more: attempts to connect are refused. start() undoes it.
    void take_socket_away();

    /// Defines a guest in the keeper's world and returns its UUID.
    Uuid define_xml(const std::string& xml) const;
    /// A guest of the test driver.
    Uuid define(const std::string& name, const std::string& extra = {}) const;
    libvirt::DomainPtr domain(const Uuid& uuid) const;

private:
    void listen();
    [[noreturn]] void become_libvirtd() const;

    std::filesystem::path folder_;
    std::string uri_;
    int socket_ = -1;
    pid_t pid_ = -1;
    libvirt::ConnectPtr keeper_;
};

}  // namespace guestd::test
