// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_call.hpp"

#include "systemd/bus_names.hpp"

namespace guestd::bus {

OpenCalls::Ticket OpenCalls::admit(const std::string& sender) {
    auto& open = (*counts_)[sender];
    if (open >= kMostOpenCalls)
        return nullptr;
    ++open;
    return {static_cast<void*>(&open), [counts = counts_, sender](void*) {
                if (--counts->at(sender) == 0)
                    counts->erase(sender);
            }};
}

PendingCall::~PendingCall() {
    if (!answered_)
        refuse(Failure{kErrorInternal, "guestd gave no answer"});
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
