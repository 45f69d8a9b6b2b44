// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/subscriptions.hpp"

#include <string_view>
#include <utility>

#include "libvirt/mapping.hpp"
#include "libvirt/observe.hpp"

namespace guestd::libvirt {

namespace {

const char* reason_text(int reason) {
    switch (reason) {
        case VIR_CONNECT_CLOSE_REASON_EOF:
            return "libvirt closed the connection";
        case VIR_CONNECT_CLOSE_REASON_KEEPALIVE:
            return "libvirt no longer answers";
        case VIR_CONNECT_CLOSE_REASON_CLIENT:
            return "closed";
        default:
            return "the connection failed";
    }
}

void on_close(virConnectPtr, int reason, void* opaque) noexcept {
    try {
        (*static_cast<CloseNotice::Callback*>(opaque))(reason_text(reason));
    } catch (...) {
        // Out of memory. The next call on the connection fails and tells the same.
    }
}

void free_callback(void* opaque) noexcept {
    delete static_cast<CloseNotice::Callback*>(opaque);
}

using Shared = std::shared_ptr<UriContext>;

void free_context(void* opaque) noexcept {
    delete static_cast<Shared*>(opaque);
}

Outlet& outlet_of(void* opaque) {
    return (*static_cast<Shared*>(opaque))->outlet;
}

int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) noexcept {
    try {
        if (event == VIR_DOMAIN_EVENT_CRASHED) {
            // The guest has panicked. Its QEMU may be kept (on_crash=preserve), or be about to go,
            // which another event tells: neither gone nor paused, but "crashed".
            outlet_of(opaque).look_again(uuid_of(domain));
        } else if (const auto what = lifecycle_of(event, detail)) {
            const char* name = virDomainGetName(domain);
            outlet_of(opaque).guest_changed(uuid_of(domain), *what, name != nullptr ? name : "");
        }
    } catch (...) {
        // Out of memory. Events are hints; the next reading tells.
    }
    return 0;
}

void on_agent(virConnectPtr, virDomainPtr domain, int state, int, void* opaque) noexcept {
    try {
        outlet_of(opaque).agent_changed(
            uuid_of(domain), state == VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED);
    } catch (...) {
        // As above.
    }
}

void on_metadata(virConnectPtr, virDomainPtr domain, int, const char* uri, void* opaque) noexcept {
    try {
        // Not for titles, others' elements, or the marks that we make ourselves.
        if (uri != nullptr && std::string_view{uri} == kPolicyNamespace) {
            outlet_of(opaque).look_again(uuid_of(domain));
        }
    } catch (...) {
        // As above.
    }
}

void on_device(virConnectPtr, virDomainPtr domain, const char*, void* opaque) noexcept {
    try {
        outlet_of(opaque).devices_changed(uuid_of(domain));
    } catch (...) {
        // As above.
    }
}

void on_job(virConnectPtr, virDomainPtr domain, virTypedParameterPtr params, int count,
            void* opaque) noexcept {
    try {
        int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
        if (operation == VIR_DOMAIN_JOB_OPERATION_SAVE) {
            outlet_of(opaque).save_written(uuid_of(domain));
        }
    } catch (...) {
        // As above.
    }
}

/// libvirt takes every kind of callback as this type and casts it back.
template <class F>
virConnectDomainEventGenericCallback generic(F* callback) {
    return reinterpret_cast<virConnectDomainEventGenericCallback>(
        reinterpret_cast<void (*)()>(callback));
}

}  // namespace

CloseNotice::CloseNotice(virConnectPtr connection, Callback callback) : connection_(connection) {
    auto opaque = std::make_unique<Callback>(std::move(callback));
    registered_ =
        virConnectRegisterCloseCallback(connection, on_close, opaque.get(), free_callback) == 0;
    if (registered_) {
        static_cast<void>(opaque.release());  // libvirt frees it
    }
}

CloseNotice::~CloseNotice() {
    if (registered_) {
        virConnectUnregisterCloseCallback(connection_, on_close);
    }
}

GuestEvents::GuestEvents(virConnectPtr connection, const std::shared_ptr<UriContext>& context)
    : connection_(connection), context_(context) {
    add(VIR_DOMAIN_EVENT_ID_LIFECYCLE, generic(on_lifecycle));
    add(VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, generic(on_agent));
    add(VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, generic(on_device));
    add(VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, generic(on_device));
    add(VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, generic(on_job));
    if (context->read_metadata) {
        add(VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, generic(on_metadata));
    }
}

GuestEvents::~GuestEvents() {
    for (const int id : registered_) {
        // Fails on a dead connection, which has forgotten us already.
        virConnectDomainEventDeregisterAny(connection_, id);
    }
}

void GuestEvents::add(int event, virConnectDomainEventGenericCallback callback) {
    auto opaque = std::make_unique<Shared>(context_);
    const int id = virConnectDomainEventRegisterAny(connection_, nullptr, event, callback,
                                                    opaque.get(), free_context);
    if (id >= 0) {
        static_cast<void>(opaque.release());  // libvirt frees it
        registered_.push_back(id);
    }
}

}  // namespace guestd::libvirt
