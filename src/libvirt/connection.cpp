// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/connection.hpp"

#include "libvirt/errors.hpp"
#include "libvirt/event_thread.hpp"

namespace guestd::libvirt {

namespace {

// libvirt's own defaults on the server's side. A silent libvirtd is given up after 30 s.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveCount = 5;

}  // namespace

bool is_local(std::string_view uri) {
    const auto scheme = uri.substr(0, uri.find("://"));
    const auto plus = scheme.find('+');
    const auto transport =
        plus == std::string_view::npos ? std::string_view{} : scheme.substr(plus + 1);
    // With three slashes: the host between the second and the third is none.
    return uri.substr(scheme.size()).starts_with(":///") &&
           (transport.empty() || transport == "unix");
}

Result<ConnectPtr> connect(const std::string& uri) {
    EventThread::instance();
    ConnectPtr handle{virConnectOpen(uri.c_str())};
    if (!handle) {
        return fail(ErrorCode::unavailable, last_fault().message);
    }
    return handle;
}

bool keep_alive(virConnectPtr connection) {
    return virConnectSetKeepAlive(connection, kKeepAliveSeconds, kKeepAliveCount) >= 0;
}

Result<virConnectPtr> Connection::open() {
    if (handle_ && !is_dead(handle_.get())) {
        return handle_.get();
    }
    handle_.reset();
    auto opened = connect(uri_);
    if (!opened) {
        return tl::unexpected<Error>{opened.error()};
    }
    handle_ = std::move(*opened);
    keep_alive(handle_.get());
    return handle_.get();
}

}  // namespace guestd::libvirt
