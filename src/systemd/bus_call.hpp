// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A method call that waits for its answer. It is answered exactly once: whoever holds the last
/// reference and has not answered answers with an internal error, so that no caller hangs.
///
/// Most calls are answered before the next one is read. Those that wait (for the disk, polkit or a
/// person) are counted while they do, whether or not their caller is still there: a program that
/// comes back under a new name of the bus is the same user. What one call holds is bounded by what
/// bus_message.hpp reads.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "systemd/bus_encode.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::bus {

/// Calls of one connection, root's too. Enough for a program that asks everything at once.
inline constexpr unsigned kMostOpenCalls = 32;
/// Calls of one user but root, over all connections.
inline constexpr unsigned kMostCallsOfUser = 32;
/// Calls of all users but root: one who owns a range of user ids is as many users.
inline constexpr unsigned kMostCallsOfUsers = 128;
/// Calls whose user the bus has not told yet, which it does at once. Several programs that ask all
/// they may; more than that is a flood, and is told to come again.
inline constexpr unsigned kMostUnknownCalls = 256;

/// Counts them, and keeps what is asked on their behalf. Copies count together.
class OpenCalls {
public:
    /// Held while a call is open.
    using Ticket = std::shared_ptr<void>;
    /// Throws Failure when `who` has `most` already.
    Ticket admit(const std::string& who, unsigned most);

    /// Keeps what is asked on behalf of a call until `answered` or `cancel`.
    void asked(Slot question);
    /// From within the question's own callback too.
    void answered(sd_bus_slot* question) noexcept;
    /// Before their bus is dropped: a question holds its call, the call its message, and the
    /// message the bus, which so would never be freed.
    void cancel() noexcept;

private:
    struct Open {
        std::map<std::string, unsigned> counts;
        std::map<sd_bus_slot*, Slot> questions;
    };
    // Tickets outlive the copy that gave them.
    std::shared_ptr<Open> open_ = std::make_shared<Open>();
};

class PendingCall {
public:
    /// `message` is the incoming call; keeps a reference to it. Throws Failure when its connection
    /// has too many open.
    PendingCall(sd_bus_message* message, OpenCalls open);
    ~PendingCall();
    PendingCall(const PendingCall&) = delete;
    PendingCall& operator=(const PendingCall&) = delete;

    sd_bus_message* message() const { return message_.get(); }
    OpenCalls& open() { return open_; }
    /// Before it is known whose call it is. Throws Failure when there are too many.
    OpenCalls::Ticket count_as_unknown();
    /// From now on it is one of `uid`'s. Throws Failure when those are too many.
    void count_for(std::uint32_t uid);
    /// `write(reply)` appends the results. A Failure in it becomes the answer.
    void answer(const std::function<void(sd_bus_message*)>& write) noexcept;
    void answer() noexcept {
        answer([](sd_bus_message*) {});
    }
    void refuse(const Failure& failure) noexcept;

private:
    Message message_;
    OpenCalls open_;
    OpenCalls::Ticket connection_;
    OpenCalls::Ticket user_;
    OpenCalls::Ticket users_;
    bool answered_ = false;
};
using Call = std::shared_ptr<PendingCall>;

/// A Reply that answers `call` with an aa{sv}.
template <class T>
Reply<T> reply_to(Call call) {
    return [call = std::move(call)](Result<T> result) {
        if (!result)
            call->refuse(Failure{result.error()});
        else
            call->answer([&](sd_bus_message* into) { encode(into, *result); });
    };
}

}  // namespace guestd::bus
