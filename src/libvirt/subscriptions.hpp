// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What libvirt tells us unasked, on the event thread.
///
/// Subscriptions belong to one connection and die with it: a new connection needs new ones, before
/// its first listing. Declare them after the connection, so that they go first.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "guestd/error.hpp"
#include "libvirt/context.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Told once when the connection breaks, on the event thread or whichever thread noticed. For
/// connections that can break only: where there is no daemon libvirt accepts the callback, and
/// never releases it.
class CloseNotice {
public:
    using Callback = std::function<void(const std::string& reason)>;

    CloseNotice(virConnectPtr connection, Callback callback);
    ~CloseNotice();
    CloseNotice(const CloseNotice&) = delete;
    CloseNotice& operator=(const CloseNotice&) = delete;

private:
    virConnectPtr connection_;
    bool registered_;
};

/// Guest events, passed on to the context's outlet. What a driver does not have is left out: for
/// esx, hyperv and vmware only readings tell anything.
class GuestEvents {
public:
    GuestEvents(virConnectPtr connection, const std::shared_ptr<UriContext>& context);
    ~GuestEvents();
    GuestEvents(const GuestEvents&) = delete;
    GuestEvents& operator=(const GuestEvents&) = delete;

private:
    void add(int event, virConnectDomainEventGenericCallback callback);

    virConnectPtr connection_;
    const std::shared_ptr<UriContext>& context_;
    std::vector<int> registered_;
};

}  // namespace guestd::libvirt
