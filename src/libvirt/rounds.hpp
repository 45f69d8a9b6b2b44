// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Something that is read at intervals, as long as there is anything to read.
///
/// Has a thread and a connection then, and none otherwise. A round that hangs in libvirt delays the
/// next ones, and nothing else: the lock is not held meanwhile.

#include <condition_variable>
#include <memory>
#include <mutex>

#include "libvirt/connection.hpp"
#include "libvirt/context.hpp"

namespace guestd::libvirt {

class Rounds : public std::enable_shared_from_this<Rounds> {
public:
    virtual ~Rounds() = default;
    Rounds(const Rounds&) = delete;
    Rounds& operator=(const Rounds&) = delete;

    /// No round is begun any more. Thread-safe, does not block.
    void stop();

protected:
    Rounds(std::shared_ptr<UriContext> context, const char* name, Duration interval)
        : context_(std::move(context)), name_(name), interval_(interval) {}

    /// Whether there is anything to read. Under the lock.
    virtual bool is_idle() const = 0;
    /// On the thread, without the lock. Nothing that it keeps outlives the connection.
    virtual void round(Connection& connection) = 0;
    /// To be called under the lock when there may be something to read, or nothing any more.
    void mind();

    const std::shared_ptr<UriContext> context_;
    std::mutex mutex_;

private:
    void run();

    const char* const name_;
    const Duration interval_;
    std::condition_variable changed_;
    bool running_ = false;
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
