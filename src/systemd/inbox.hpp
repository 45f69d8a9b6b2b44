// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The only door into the loop for other threads.
///
/// Threads post plain values; the loop wakes once and gets everything posted so far, in order.
/// Sinks may outlive the inbox (a thread stuck in libvirt has one): what they post then is dropped.

#include <functional>
#include <memory>
#include <vector>

#include "guestd/error.hpp"
#include "guestd/events.hpp"
#include "guestd/ports/hypervisor.hpp"
#include "systemd/loop.hpp"

namespace guestd::systemd {

class Inbox {
public:
    using Handler = std::function<void(std::vector<Event>)>;

    /// `handler` runs on the loop, never with an empty batch; what it posts itself comes in the
    /// next batch.
    static Result<std::unique_ptr<Inbox>> create(Loop& loop, Handler handler);
    ~Inbox();
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;

    /// To be handed out; copies are equal.
    EventSink sink() const;

private:
    struct Box;
    explicit Inbox(std::shared_ptr<Box> box) : box_(std::move(box)) {}

    std::shared_ptr<Box> box_;
    IoSource source_;
};

}  // namespace guestd::systemd
