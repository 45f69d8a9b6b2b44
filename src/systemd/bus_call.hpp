// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A method call that waits for its answer. It is answered exactly once: whoever holds the last
/// reference and has not answered answers with an internal error, so that no caller hangs.

#include <functional>
#include <memory>
#include <utility>

#include "systemd/bus_encode.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::bus {

class PendingCall {
public:
    /// `message` is the incoming call; keeps a reference to it.
    explicit PendingCall(sd_bus_message* message) : message_(sd_bus_message_ref(message)) {}
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
