// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/fate_conversation.hpp"

#include <cstring>

#include "systemd/attach_bus.hpp"

namespace guestd::systemd {
namespace {

/// logind is an extra witness; one that hangs must not hold up what systemd has said.
constexpr std::uint64_t kLogindWithinUsec = 300'000;
/// Longer than anybody waits: the query has a timer of its own, as this one does not run before the
/// bus has let us in.
constexpr std::uint64_t kManagerWithinUsec = 2'000'000;

constexpr const char* kManager = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kLogind = "org.freedesktop.login1";
constexpr const char* kLogindPath = "/org/freedesktop/login1";
constexpr const char* kLogindInterface = "org.freedesktop.login1.Manager";

int read_system_state(sd_bus_message* reply, Evidence& evidence) {
    const char* state = nullptr;
    const int code = sd_bus_message_read(reply, "v", "s", &state);
    if (code >= 0)
        evidence.system_state = state;
    return code;
}

int read_jobs(sd_bus_message* reply, Evidence& evidence) {
    int code = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(usssoo)");
    std::vector<std::string> starting;
    while (code >= 0) {
        const char* unit = nullptr;
        const char* type = nullptr;
        code = sd_bus_message_read(reply, "(usssoo)", nullptr, &unit, &type, nullptr, nullptr,
                                   nullptr);
        if (code == 0) {
            evidence.start_jobs = std::move(starting);
            return 0;
        }
        if (code > 0 && std::strcmp(type, "start") == 0)
            starting.emplace_back(unit);
    }
    return code;
}

int read_preparing(sd_bus_message* reply, Evidence& evidence) {
    int preparing = 0;
    const int code = sd_bus_message_read(reply, "v", "b", &preparing);
    evidence.preparing = code >= 0 && preparing != 0;
    evidence.logind_told = code >= 0;
    return code;
}

int read_scheduled(sd_bus_message* reply, Evidence& evidence) {
    const char* type = nullptr;
    const int code = sd_bus_message_read(reply, "v", "(st)", &type, nullptr);
    if (code >= 0)
        evidence.scheduled = type;
    return code;
}

int property_call(sd_bus* bus, sd_bus_message** call, const char* destination, const char* path,
                  const char* interface, const char* property) {
    const int code = sd_bus_message_new_method_call(bus, call, destination, path,
                                                    "org.freedesktop.DBus.Properties", "Get");
    return code < 0 ? code : sd_bus_message_append(*call, "ss", interface, property);
}

}  // namespace

Conversation::Conversation(Loop& loop, std::function<void()> done) : loop_(loop) {
    if (auto timer = loop.add_time(kNever, "systemd has answered", std::move(done)))
        done_ = std::move(*timer);
}

Conversation::~Conversation() = default;

std::unique_ptr<Conversation> Conversation::over_system_bus(Loop& loop,
                                                            std::function<void()> done) {
    std::unique_ptr<Conversation> talk{new Conversation{loop, std::move(done)}};
    sd_bus* bus = nullptr;
    const int opened = sd_bus_open_system_with_description(&bus, "system bus");
    talk->start(opened, bus, "system bus");
    talk->ask_manager(kManager);
    talk->ask_logind();
    return talk;
}

std::unique_ptr<Conversation> Conversation::over_user_bus(Loop& loop, std::function<void()> done) {
    std::unique_ptr<Conversation> talk{new Conversation{loop, std::move(done)}};
    sd_bus* bus = nullptr;
    const int opened = sd_bus_open_user_with_description(&bus, "user bus");
    talk->start(opened, bus, "user bus");
    talk->ask_manager(kManager);
    return talk;
}

std::unique_ptr<Conversation> Conversation::over_socket(Loop& loop, const std::string& path,
                                                        std::function<void()> done) {
    std::unique_ptr<Conversation> talk{new Conversation{loop, std::move(done)}};
    sd_bus* bus = nullptr;
    int opened = sd_bus_new(&bus);
    if (opened >= 0)
        opened = sd_bus_set_address(bus, ("unix:path=" + path).c_str());
    if (opened >= 0)
        opened = sd_bus_start(bus);
    talk->start(opened, bus, "systemd's own socket");
    talk->ask_manager(nullptr);
    return talk;
}

/// Takes over what opening has made.
void Conversation::start(int opened, sd_bus* bus, const char* what) {
    bus_.reset(bus);
    if (opened >= 0)
        opened = attach_bus(bus, loop_.handle());
    if (opened >= 0)
        return;
    bus_.reset();
    problem(std::string{what} + ": " + std::strerror(-opened));
    done_.arm(loop_.now());
}

void Conversation::ask_manager(const char* destination) {
    if (!bus_)
        return;
    sd_bus_message* call = nullptr;
    int made = property_call(bus_.get(), &call, destination, kManagerPath, kManagerInterface,
                             "SystemState");
    ask(made, call, "SystemState", read_system_state, true);
    call = nullptr;
    made = sd_bus_message_new_method_call(bus_.get(), &call, destination, kManagerPath,
                                          kManagerInterface, "ListJobs");
    ask(made, call, "ListJobs", read_jobs, true);
}

void Conversation::ask_logind() {
    if (!bus_)
        return;
    sd_bus_message* call = nullptr;
    int made = property_call(bus_.get(), &call, kLogind, kLogindPath, kLogindInterface,
                             "PreparingForShutdown");
    ask(made, call, "PreparingForShutdown", read_preparing, false);
    call = nullptr;
    made = property_call(bus_.get(), &call, kLogind, kLogindPath, kLogindInterface,
                         "ScheduledShutdown");
    ask(made, call, "ScheduledShutdown", read_scheduled, false);
}

/// Takes over the call that `made` tells of.
void Conversation::ask(int made, sd_bus_message* call, const char* what, Read read, bool needed) {
    Question& question = questions_.emplace_back(Question{this, what, read, needed, nullptr});
    ++unanswered_;
    sd_bus_slot* slot = nullptr;
    // Nobody is to be started for our sake while the host goes down.
    if (made >= 0)
        made = sd_bus_message_set_auto_start(call, 0);
    if (made >= 0)
        made = sd_bus_call_async(bus_.get(), &slot, call, on_reply, &question,
                                 needed ? kManagerWithinUsec : kLogindWithinUsec);
    sd_bus_message_unref(call);
    question.slot.reset(slot);
    if (made < 0) {
        problem(std::string{what} + ": " + std::strerror(-made));
        answered();
    }
}

int Conversation::on_reply(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    const auto& question = *static_cast<Question*>(userdata);
    Conversation& self = *question.asker;
    try {
        const sd_bus_error* error = sd_bus_message_get_error(reply);
        const int code = error == nullptr ? question.read(reply, self.evidence_) : 0;
        if (question.read == read_preparing &&
            (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) != 0 ||
             sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) != 0))
            self.evidence_.logind_told = true;
        if (question.needed && error != nullptr)
            self.problem(std::string{question.what} + ": " +
                         (error->message != nullptr ? error->message : error->name));
        else if (question.needed && code < 0)
            self.problem(std::string{question.what} + ": answer not understood");
    } catch (...) {
        // No memory: as if there had been no answer.
    }
    self.answered();
    return 0;
}

void Conversation::answered() {
    if (--unanswered_ == 0)
        done_.arm(loop_.now());
}

void Conversation::problem(const std::string& text) {
    if (evidence_.problem.empty())
        evidence_.problem = text;
}

}  // namespace guestd::systemd
