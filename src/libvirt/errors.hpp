// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What libvirt's errors mean to us.
///
/// Two things decide: whether the connection outlived the call (if not, nobody knows what libvirtd
/// made of it), and a handful of error codes. Drivers differ in their codes and translate their
/// texts, so a text is only ever passed on (QEMU's own, which nobody translates, excepted), and
/// everything else is "no": the state that is re-read afterwards says the rest.

#include <libvirt/libvirt.h>

#include <string>

#include "guestd/events.hpp"

namespace guestd::libvirt {

/// The last error of this thread.
struct Fault {
    int code = 0;  ///< VIR_ERR_…
    std::string message;
    int system = 0;  ///< of a VIR_ERR_SYSTEM_ERROR, its errno
};
Fault last_fault();

/// libvirt prints every error to stderr unless told otherwise. Process-wide; call before the first
/// connection.
void silence_errors();

/// How a call came out that failed with `fault` on `connection`.
CallStatus status_of(const Fault& fault, virConnectPtr connection);

/// No answer can be trusted to have come from libvirtd. Local, does not block.
bool is_dead(virConnectPtr connection);

/// QEMU itself found a disk locked by another QEMU, here or, on shared storage, elsewhere. It looks
/// before virtlockd does, which takes its lock only when the guest's processors start; libvirt
/// passes on what QEMU wrote and calls it an internal error (9.0 and 11.3, QEMU 7.2 and 10.0).
bool is_image_locked(const Fault& fault);

/// The driver does not know the flags (or the whole function) that it was called with.
bool is_unsupported(const Fault& fault);

/// A file could not be opened with O_DIRECT: its file system has no such thing. libvirt says no
/// more than "Failed to create file: Invalid argument" (9.0, on ramfs; on tmpfs before Linux 6.6).
bool is_direct_io_refused(const Fault& fault);

}  // namespace guestd::libvirt
