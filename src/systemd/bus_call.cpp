// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_call.hpp"

#include <unistd.h>

#include <chrono>

#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

/// The bus answers this at once or is not working; sd-bus' own 25 s are longer than a person waits.
constexpr std::chrono::microseconds kWhoTimeout = std::chrono::seconds{5};

struct Question {
    Call call;
    std::function<void()> allowed;
};

void decide(Question& question, sd_bus_message* reply) {
    std::uint32_t uid = 0;
    if (sd_bus_message_is_method_error(reply, nullptr) > 0 ||
        sd_bus_message_read_basic(reply, 'u', &uid) < 0)
        throw Failure{kErrorAccessDenied, "cannot find out who asks"};
    if (uid != 0 && uid != geteuid())
        throw Failure{kErrorAccessDenied, "only root may command guestd"};
    question.allowed();
}

int on_who(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& question = *static_cast<Question*>(userdata);
    try {
        decide(question, reply);
    } catch (const Failure& failure) {
        question.call->refuse(failure);
    } catch (...) {
        // Unanswered: the call's destructor says so.
    }
    return 0;
}

void free_question(void* userdata) noexcept {
    delete static_cast<Question*>(userdata);
}

}  // namespace

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

void if_may_command(const Call& call, std::function<void()> allowed) {
    sd_bus_message* raw = nullptr;
    sd_bus* const bus = sd_bus_message_get_bus(call->message());
    check(sd_bus_message_new_method_call(bus, &raw, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", "GetConnectionUnixUser"),
          "ask who calls");
    const Message message{raw};
    const char* const sender = sd_bus_message_get_sender(call->message());
    append(raw, std::string_view{sender == nullptr ? "" : sender});
    auto question = std::make_unique<Question>(Question{call, std::move(allowed)});
    sd_bus_slot* slot = nullptr;
    check(sd_bus_call_async(bus, &slot, raw, on_who, question.get(),
                            static_cast<std::uint64_t>(kWhoTimeout.count())),
          "ask who calls");
    // From here the slot owns the question, and the bus the slot.
    sd_bus_slot_set_destroy_callback(slot, free_question);
    question.release();
    sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
}

}  // namespace guestd::bus
