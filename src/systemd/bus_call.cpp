// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_call.hpp"

#include "systemd/bus_names.hpp"

namespace guestd::bus {

OpenCalls::Ticket OpenCalls::admit(const std::string& who, unsigned most) {
    auto& count = open_->counts[who];
    if (count >= most)
        throw Failure{SD_BUS_ERROR_LIMITS_EXCEEDED, "too many calls wait for an answer"};
    ++count;
    return {static_cast<void*>(&count), [open = open_, who](void*) {
                if (--open->counts.at(who) == 0)
                    open->counts.erase(who);
            }};
}

void OpenCalls::asked(Slot question) {
    sd_bus_slot* const slot = question.get();
    open_->questions.emplace(slot, std::move(question));
}

void OpenCalls::answered(sd_bus_slot* question) noexcept {
    open_->questions.erase(question);
}

void OpenCalls::cancel() noexcept {
    const auto questions = std::exchange(open_->questions, {});
}

PendingCall::PendingCall(sd_bus_message* message, OpenCalls open)
    : message_(sd_bus_message_ref(message)), open_(std::move(open)) {
    const char* const sender = sd_bus_message_get_sender(message);
    connection_ = open_.admit(sender == nullptr ? "" : sender, kMostOpenCalls);
}

PendingCall::~PendingCall() {
    if (!answered_)
        refuse(Failure{kErrorInternal, "guestd gave no answer"});
}

OpenCalls::Ticket PendingCall::count_as_unknown() {
    return open_.admit("unknown", kMostUnknownCalls);
}

void PendingCall::count_for(std::uint32_t uid) {
    user_ = open_.admit("user " + std::to_string(uid), kMostCallsOfUser);
    users_ = open_.admit("users", kMostCallsOfUsers);
}

void PendingCall::answer(const std::function<void(sd_bus_message*)>& write) noexcept {
    try {
        sd_bus_message* raw = nullptr;
        check(sd_bus_message_new_method_return(message_.get(), &raw), "answer");
        const Message reply{raw};
        write(raw);
        check(sd_bus_send(nullptr, raw, nullptr), "answer");
        answered_ = true;
    } catch (const Failure& failure) {
        refuse(failure);
    } catch (...) {
        refuse(Failure{kErrorInternal, "out of memory"});
    }
}

void PendingCall::refuse(const Failure& failure) noexcept {
    answered_ = true;
    try {
        const std::string text = wire_text(failure.what());
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(failure.name(), text.c_str());
        // Fails only when the caller or the bus is gone, and then nobody waits.
        sd_bus_reply_method_error(message_.get(), &error);
    } catch (...) {
        // No memory even for the text: the caller times out.
    }
}

}  // namespace guestd::bus
