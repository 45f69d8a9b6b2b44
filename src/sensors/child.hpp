// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The first steps of a new process, up to execve(2).
///
/// It is a fork of a process with many threads, of which any may have held any lock: only what
/// signal-safety(7) allows may be called here, and nothing may be allocated. What may hang (the
/// program's file system) hangs here, in a process that can be killed, and not in the daemon.

namespace guestd::sensors {

/// All that the new process needs, made before it.
struct ChildPlan {
    const char* path = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    int output = -1;   ///< becomes standard output and error
    int verdict = -1;  ///< takes words for people when the program is not run; closed when it is
    int parent = 0;    ///< process id
};

/// Becomes the program. It must belong to root, or to the user that we are, and be writable by
/// nobody else; so must every folder that leads to it, as written and as it really is.
[[noreturn]] void become(const ChildPlan& plan) noexcept;

}  // namespace guestd::sensors
