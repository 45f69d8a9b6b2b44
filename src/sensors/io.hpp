// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "sensors/fd.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors {

/// A file descriptor that a source of the loop owns too.
///
/// It may be dropped in the source's own callback, when the source itself still lives. Were it
/// closed there, epoll would forget it only if no other process had it; a program that was just
/// forked has, up to its execve(2), and the loop would be told of a source that is gone.
using SharedFd = std::shared_ptr<const Fd>;

inline SharedFd share(Fd fd) {
    return std::make_shared<const Fd>(std::move(fd));
}

inline Result<systemd::IoSource> add_shared_io(systemd::Loop& loop, SharedFd fd,
                                               std::uint32_t events, const char* description,
                                               std::function<void()> callback) {
    const int number = fd->number();
    return loop.add_io(
        number, events, description,
        [fd = std::move(fd), callback = std::move(callback)](std::uint32_t) { callback(); });
}

}  // namespace guestd::sensors
