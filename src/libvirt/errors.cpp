// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/errors.hpp"

#include <libvirt/virterror.h>

#include <cerrno>

namespace guestd::libvirt {

Fault last_fault() {
    const virErrorPtr error = virGetLastError();
    if (error == nullptr) {
        return {VIR_ERR_INTERNAL_ERROR, "unknown error"};
    }
    return {error->code, error->message != nullptr ? error->message : "unknown error",
            error->code == VIR_ERR_SYSTEM_ERROR ? error->int1 : 0};
}

void silence_errors() {
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) noexcept {});
}

bool is_dead(virConnectPtr connection) {
    // 1 alive, 0 dead, -1 a driver that cannot tell, which is then one without a daemon.
    return virConnectIsAlive(connection) == 0;
}

CallStatus status_of(const Fault& fault, virConnectPtr connection) {
    // VIR_ERR_SYSTEM_ERROR and INTERNAL_ERROR come from both sides of the socket ("disk missing",
    // "client socket is closed"): the connection tells which.
    if (fault.code == VIR_ERR_RPC || fault.code == VIR_ERR_INVALID_CONN || is_dead(connection)) {
        return CallStatus::unknown;
    }
    if (fault.code == VIR_ERR_RESOURCE_BUSY || is_image_locked(fault)) {
        return CallStatus::busy;
    }
    if (fault.code == VIR_ERR_OPERATION_ABORTED) {
        return CallStatus::aborted;
    }
    return CallStatus::refused;
}

bool is_image_locked(const Fault& fault) {
    // block/file-posix.c: Failed to get [shared ]"write" lock
    const auto begin = fault.message.find("Failed to get ");
    return begin != std::string::npos && fault.message.find("\" lock", begin) != std::string::npos;
}

bool is_unsupported(const Fault& fault) {
    return fault.code == VIR_ERR_INVALID_ARG || fault.code == VIR_ERR_ARGUMENT_UNSUPPORTED ||
           fault.code == VIR_ERR_NO_SUPPORT || fault.code == VIR_ERR_OPERATION_UNSUPPORTED;
}

bool is_direct_io_refused(const Fault& fault) {
    return fault.code == VIR_ERR_SYSTEM_ERROR && fault.system == EINVAL;
}

}  // namespace guestd::libvirt
