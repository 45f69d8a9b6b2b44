// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/connection.hpp"

#include <utility>

#include "libvirt/errors.hpp"
#include "libvirt/event_thread.hpp"
#include "libvirt/inventory.hpp"

namespace guestd::libvirt {

namespace {

// libvirt's own defaults on the server's side. A silent libvirtd is given up after 30 s.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveCount = 5;

/// Above the few that some guests have at any time; a listing costs about as much as four of them.
constexpr unsigned kListAfter = 8;
/// A thousand short calls are served in less; older handles tell less and less.
constexpr std::chrono::seconds kBurst{2};

}  // namespace

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
    close();
    auto opened = connect(uri_);
    if (!opened) {
        return tl::unexpected<Error>{opened.error()};
    }
    handle_ = std::move(*opened);
    keep_alive(handle_.get());
    return handle_.get();
}

void Connection::list() {
    auto domains = list_domains(handle_.get(), 0);
    if (!domains) {
        return;
    }
    for (auto& domain : *domains) {
        const auto uuid = uuid_of(domain.get());
        burst_.handles.emplace(uuid, std::move(domain));
    }
}

DomainPtr Connection::find(const Uuid& uuid) {
    const auto now = std::chrono::steady_clock::now();
    if (now > burst_.since + kBurst) {
        burst_ = {.since = now};
    }
    if (++burst_.asked == kListAfter) {
        list();
    }
    if (const auto known = burst_.handles.find(uuid); known != burst_.handles.end()) {
        virDomainRef(known->second.get());
        return DomainPtr{known->second.get()};
    }
    return DomainPtr{virDomainLookupByUUID(handle_.get(), uuid.raw().data())};
}

void Connection::close() {
    burst_ = {};
    handle_.reset();
}

}  // namespace guestd::libvirt
