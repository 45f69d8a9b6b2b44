// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A method call that waits for its answer. It is answered exactly once: whoever holds the last
/// reference and has not answered answers with an internal error, so that no caller hangs.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "systemd/bus_encode.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::bus {

/// Calls of one connection that wait for the disk, polkit or a person. Enough for a program that
/// asks everything at once; the bus bounds the connections of a user.
inline constexpr unsigned kMostOpenCalls = 32;

/// Counts them.
class OpenCalls {
public:
    /// Held while a call is open. Null: `sender` has too many.
    using Ticket = std::shared_ptr<void>;
    Ticket admit(const std::string& sender);

private:
    using Counts = std::map<std::string, unsigned>;
    // Tickets may outlive us.
    std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

class PendingCall {
public:
    /// `message` is the incoming call; keeps a reference to it.
    explicit PendingCall(sd_bus_message* message, OpenCalls::Ticket ticket = nullptr)
        : message_(sd_bus_message_ref(message)), ticket_(std::move(ticket)) {}
    ~PendingCall();
    PendingCall(const PendingCall&) = delete;
    PendingCall& operator=(const PendingCall&) = delete;

    sd_bus_message* message() const { return message_.get(); }
    /// `write(reply)` appends the results. A Failure in it becomes the answer.
    void answer(const std::function<void(sd_bus_message*)>& write) noexcept;
    void answer() noexcept {
        answer([](sd_bus_message*) {});
    }
    void refuse(const Failure& failure) noexcept;

private:
    Message message_;
    OpenCalls::Ticket ticket_;
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
