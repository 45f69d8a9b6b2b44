// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_polkit.hpp"

#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>

#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPolkit = "org.freedesktop.PolicyKit1";
constexpr const char* kPolkitPath = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* kPolkitInterface = "org.freedesktop.PolicyKit1.Authority";
/// CheckAuthorizationFlags.
constexpr std::uint32_t kAllowUserInteraction = 1;

/// The bus answers this at once or is not working; sd-bus' own 25 s are longer than a person waits.
constexpr std::chrono::microseconds kWhoTimeout = 5s;
/// A rule may run a program, for which polkit has 10 s; guestctl waits for 15.
constexpr std::chrono::microseconds kPolkitTimeout = 12s;

struct Question {
    Call call;
    const char* action;  ///< null = anybody may
    std::function<void()> allowed;
    void (*judge)(Question& question, sd_bus_message* reply);
    OpenCalls::Ticket unknown{};  ///< while it is not known who calls
};

int on_reply(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& question = *static_cast<Question*>(userdata);
    sd_bus* const bus = sd_bus_message_get_bus(question.call->message());
    question.call->open().answered(sd_bus_get_current_slot(bus));
    try {
        question.judge(question, reply);
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

Message new_call(const Call& call, const char* destination, const char* path, const char* interface,
                 const char* member) {
    sd_bus_message* raw = nullptr;
    check(sd_bus_message_new_method_call(sd_bus_message_get_bus(call->message()), &raw, destination,
                                         path, interface, member),
          "ask who calls");
    return Message{raw};
}

void ask(sd_bus_message* message, Question made, std::chrono::microseconds timeout) {
    auto question = std::make_unique<Question>(std::move(made));
    sd_bus_slot* slot = nullptr;
    check(sd_bus_call_async(sd_bus_message_get_bus(message), &slot, message, on_reply,
                            question.get(), static_cast<std::uint64_t>(timeout.count())),
          "ask who calls");
    // From here the slot owns the question. During the callback sd-bus keeps the slot.
    sd_bus_slot_set_destroy_callback(slot, free_question);
    OpenCalls& open = question->call->open();
    static_cast<void>(question.release());
    open.asked(Slot{slot});
}

std::string_view sender_of(const Call& call) {
    const char* const sender = sd_bus_message_get_sender(call->message());
    return sender == nullptr ? "" : sender;
}

bool may_ask_person(const Call& call) {
    return sd_bus_message_get_allow_interactive_authorization(call->message()) > 0;
}

void judge_polkit(Question& question, sd_bus_message* reply) {
    const std::string action = std::string{" (polkit action "} + question.action + ")";
    if (const sd_bus_error* error = sd_bus_message_get_error(reply))
        throw Failure{kErrorAccessDenied,
                      "only root may do this: polkit, which could allow others, does not answer: " +
                          std::string{error->message == nullptr ? error->name : error->message}};
    int authorized = 0;
    int challenge = 0;
    check(sd_bus_message_enter_container(reply, 'r', "bba{ss}"), "read polkit's answer");
    check(sd_bus_message_read_basic(reply, 'b', &authorized), "read polkit's answer");
    check(sd_bus_message_read_basic(reply, 'b', &challenge), "read polkit's answer");
    if (authorized != 0)
        return question.allowed();
    if (challenge != 0 && !may_ask_person(question.call))
        throw Failure{kErrorInteractionRequired, "authentication is required" + action};
    throw Failure{kErrorAccessDenied, challenge != 0
                                          ? "nobody was there to authenticate the caller" + action
                                          : "polkit does not allow it" + action};
}

/// The caller is named by its name on the bus, which nobody else can take while the question is
/// open; a process id could be another's by then.
void ask_polkit(Question& question) {
    const bool interactive = may_ask_person(question.call);
    const Message message =
        new_call(question.call, kPolkit, kPolkitPath, kPolkitInterface, "CheckAuthorization");
    sd_bus_message* const raw = message.get();
    {
        const Container subject{raw, 'r', "sa{sv}"};
        append(raw, std::string_view{"system-bus-name"});
        Dict{raw}.text("name", sender_of(question.call));
    }
    append(raw, std::string_view{question.action});
    { const Container details{raw, 'a', "{ss}"}; }
    append(raw, interactive ? kAllowUserInteraction : std::uint32_t{0});
    append(raw, std::string_view{});  // no name to cancel it by: polkit sees when the caller leaves
    ask(raw, {question.call, question.action, std::move(question.allowed), judge_polkit},
        interactive ? kPersonTimeout : kPolkitTimeout);
}

void judge_user(Question& question, sd_bus_message* reply) {
    std::uint32_t uid = 0;
    if (sd_bus_message_is_method_error(reply, nullptr) > 0 ||
        sd_bus_message_read_basic(reply, 'u', &uid) < 0)
        throw Failure{kErrorAccessDenied, "cannot find out who asks"};
    question.unknown.reset();
    if (uid == 0 || uid == geteuid())
        return question.allowed();
    question.call->count_for(uid);
    if (question.action == nullptr)
        question.allowed();
    else
        ask_polkit(question);
}

void ask_who(const Call& call, const char* action, std::function<void()> allowed) {
    auto unknown = call->count_as_unknown();
    const Message message = new_call(call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser");
    append(message.get(), sender_of(call));
    ask(message.get(), {call, action, std::move(allowed), judge_user, std::move(unknown)},
        kWhoTimeout);
}

}  // namespace

void when_counted(const Call& call, std::function<void()> then) {
    ask_who(call, nullptr, std::move(then));
}

void if_may_command(const Call& call, const char* action, std::function<void()> allowed) {
    ask_who(call, action, std::move(allowed));
}

}  // namespace guestd::bus
