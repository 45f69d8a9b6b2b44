// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/need_events.hpp"

#include <memory>
#include <utility>

namespace guestd::libvirt {

namespace {

using Callback = NeedEvents::Callback;

void tell(const char* name, void* opaque) noexcept {
    try {
        if (name != nullptr) {
            (*static_cast<Callback*>(opaque))(name);
        }
    } catch (...) {
        // Out of memory. Events are hints; somebody looks anyway.
    }
}

void on_pool(virConnectPtr, virStoragePoolPtr pool, int, int, void* opaque) noexcept {
    tell(virStoragePoolGetName(pool), opaque);
}

void on_network(virConnectPtr, virNetworkPtr network, int, int, void* opaque) noexcept {
    tell(virNetworkGetName(network), opaque);
}

void free_callback(void* opaque) noexcept {
    delete static_cast<Callback*>(opaque);
}

/// libvirt takes every kind of callback as one type and casts it back.
template <class To, class F>
To generic(F* callback) {
    return reinterpret_cast<To>(reinterpret_cast<void (*)()>(callback));
}

}  // namespace

NeedEvents::NeedEvents(virConnectPtr connection, NeedKind kind, Callback callback)
    : connection_(connection), pool_(kind == NeedKind::pool) {
    auto opaque = std::make_unique<Callback>(std::move(callback));
    registered_ = pool_ ? virConnectStoragePoolEventRegisterAny(
                              connection, nullptr, VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
                              generic<virConnectStoragePoolEventGenericCallback>(on_pool),
                              opaque.get(), free_callback)
                        : virConnectNetworkEventRegisterAny(
                              connection, nullptr, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                              generic<virConnectNetworkEventGenericCallback>(on_network),
                              opaque.get(), free_callback);
    if (registered_ >= 0) {
        static_cast<void>(opaque.release());  // libvirt frees it
    }
}

NeedEvents::~NeedEvents() {
    // Both fail on a dead connection, which has forgotten us already.
    if (registered_ >= 0 && pool_) {
        virConnectStoragePoolEventDeregisterAny(connection_, registered_);
    } else if (registered_ >= 0) {
        virConnectNetworkEventDeregisterAny(connection_, registered_);
    }
}

}  // namespace guestd::libvirt
