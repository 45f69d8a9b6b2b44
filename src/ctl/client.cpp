// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/client.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "ctl/agent.hpp"
#include "ctl/exit_codes.hpp"
#include "ctl/terminal.hpp"
#include "guestd/utf8.hpp"
#include "systemd/bus_names.hpp"

namespace guestd::ctl {
namespace {

/// guestd answers at once; the longest it takes is a read of its history from a slow disk.
constexpr std::chrono::microseconds kCallTimeout = std::chrono::seconds{15};
/// guestd gives up on the person first, and says so.
constexpr std::chrono::microseconds kPersonCallTimeout =
    bus::kPersonTimeout + std::chrono::seconds{15};

int check(int result, const char* doing, Exit status = kExitFailure) {
    if (result < 0)
        throw Stop{status, std::string{"cannot "} + doing + ": " + strerror(-result)};
    return result;
}

const char* checked(const std::string& text) {
    for (std::string_view rest = text; !rest.empty();) {
        const Utf8Char next = decode_utf8(rest);
        if (!next.valid || next.code == 0)
            throw Stop{kExitUsage, "'" + text + "' is not UTF-8"};
        rest.remove_prefix(next.length);
    }
    return text.c_str();
}

class Appender {
public:
    explicit Appender(sd_bus_message* message) : message_(message) {}

    void operator()(const std::string& text) const { basic('s', checked(text)); }
    void operator()(std::uint32_t number) const { basic('u', &number); }
    void operator()(std::uint64_t number) const { basic('t', &number); }
    void operator()(bool flag) const {
        const int value = flag ? 1 : 0;
        basic('b', &value);
    }
    void operator()(const Strings& texts) const {
        open('a', "s");
        for (const auto& text : texts)
            (*this)(text);
        close();
    }
    void operator()(const Options& options) const {
        open('a', "{sv}");
        for (const auto& [key, option] : options) {
            constexpr std::array kSignatures = {"s", "t", "b"};  // in the order of the variant
            open('e', "sv");
            (*this)(key);
            open('v', kSignatures[option.index()]);
            std::visit(*this, option);
            close();
            close();
        }
        close();
    }

private:
    void basic(char type, const void* value) const {
        check(sd_bus_message_append_basic(message_, type, value), "write a call");
    }
    void open(char type, const char* contents) const {
        check(sd_bus_message_open_container(message_, type, contents), "write a call");
    }
    void close() const { check(sd_bus_message_close_container(message_), "write a call"); }

    sd_bus_message* message_;
};

Stop failure_of(const sd_bus_error& error) {
    const std::string_view name = error.name == nullptr ? "" : error.name;
    const std::string text = error.message == nullptr ? std::string{name} : error.message;
    constexpr std::array<std::string_view, 5> kNotThere = {
        SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_DISCONNECTED,
        SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT};
    for (const std::string_view other : kNotThere)
        if (name == other)
            return {kExitNotConnected,
                    name == SD_BUS_ERROR_SERVICE_UNKNOWN || name == SD_BUS_ERROR_NAME_HAS_NO_OWNER
                        ? "guestd is not running"
                        : "guestd does not answer: " + text};
    return {kExitFailure, text};
}

}  // namespace

Client::Client(bool user_bus) {
    sd_bus* bus = nullptr;
    check(user_bus ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus), "connect to the bus",
          kExitNotConnected);
    bus_.reset(bus);
}

Json Client::call(const char* method, const std::vector<Argument>& arguments) {
    if (auto answer = try_call(method, arguments, false))
        return *answer;
    throw Stop{kExitFailure, needs_password_};
}

Json Client::command(const char* method, const std::vector<Argument>& arguments) {
    if (auto answer = try_call(method, arguments, false))
        return *answer;
    if (terminal().asks) {
        const TerminalAgent agent;
        if (auto answer = try_call(method, arguments, true))
            return *answer;
    }
    throw Stop{kExitFailure, needs_password_ + "; try it at a terminal, or as root"};
}

/// Nothing when somebody would have to authenticate for it, and `person` does not allow to ask.
std::optional<Json> Client::try_call(const char* method, const std::vector<Argument>& arguments,
                                     bool person) {
    const Message message = new_call(method, arguments);
    check(sd_bus_message_set_allow_interactive_authorization(message.get(), person ? 1 : 0),
          "write a call");
    const auto timeout = person ? kPersonCallTimeout : kCallTimeout;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    const int result = sd_bus_call(bus_.get(), message.get(),
                                   static_cast<std::uint64_t>(timeout.count()), &error, &reply);
    if (result < 0) {
        const bool asks_for_person =
            sd_bus_error_has_name(&error, bus::kErrorInteractionRequired) > 0;
        const bool refused = sd_bus_error_has_name(&error, bus::kErrorRefused) > 0;
        const Stop stop =
            sd_bus_error_is_set(&error) > 0
                ? failure_of(error)
                : Stop{kExitNotConnected, std::string{"cannot reach guestd: "} + strerror(-result)};
        sd_bus_error_free(&error);
        if (refused)
            throw Refused{stop};
        if (!asks_for_person)
            throw stop;
        needs_password_ = stop.what();
        return std::nullopt;
    }
    const Message answer{reply};
    return decode(reply);
}

Client::Message Client::new_call(const char* method, const std::vector<Argument>& arguments) {
    sd_bus_message* raw = nullptr;
    check(sd_bus_message_new_method_call(bus_.get(), &raw, bus::kService, bus::kPath, bus::kManager,
                                         method),
          "write a call");
    Message message{raw};
    for (const auto& argument : arguments)
        std::visit(Appender{raw}, argument);
    check(sd_bus_message_set_auto_start(raw, 0), "write a call");
    return message;
}

void Client::watch(const char* sender, const char* path, const char* interface, const char* member,
                   sd_bus_message_handler_t handler) {
    check(sd_bus_match_signal(bus_.get(), nullptr, sender, path, interface, member, handler, this),
          "listen to guestd", kExitNotConnected);
}

void Client::listen(Listener listener) {
    listener_ = std::move(listener);
    watch(bus::kService, bus::kPath, bus::kManager, nullptr, on_signal);
    watch("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
          "NameOwnerChanged", on_owner);
}

void Client::wait(std::chrono::microseconds longest) {
    for (;;) {
        const int done = sd_bus_process(bus_.get(), nullptr);
        if (thrown_)
            std::rethrow_exception(std::exchange(thrown_, nullptr));
        check(done, "hear from the bus", kExitNotConnected);
        if (done > 0) {
            longest = std::chrono::microseconds::zero();  // the caller has something to look at
            continue;
        }
        const int more = sd_bus_wait(bus_.get(), static_cast<std::uint64_t>(longest.count()));
        if (more == -EINTR || more == 0)
            return;
        check(more, "hear from the bus", kExitNotConnected);
        longest = std::chrono::microseconds::zero();
    }
}

void Client::deliver(const std::string& member, const Json& arguments) noexcept {
    try {
        listener_(member, arguments);
    } catch (...) {
        thrown_ = std::current_exception();
    }
}

int Client::on_signal(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<Client*>(userdata);
    try {
        const std::string member = sd_bus_message_get_member(message);
        const Json arguments = decode(message);
        if (member != bus::kGuestsChanged) {
            self.deliver(member, arguments);
            return 0;
        }
        for (const Json& change : arguments.at(1)) {
            Json one = Json::array({arguments.at(0)});
            one.insert(one.end(), change.begin(), change.end());
            self.deliver(kGuest, one);
        }
    } catch (...) {
        self.thrown_ = std::current_exception();
    }
    return 0;
}

int Client::on_owner(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    const char* name = "";
    const char* before = "";
    const char* after = "";
    for (const char** part : {&name, &before, &after})
        if (sd_bus_message_read_basic(message, 's', part) <= 0)
            return 0;
    if (std::string_view{name} == bus::kService)
        static_cast<Client*>(userdata)->deliver(*after == '\0' ? kGone : kCame, nullptr);
    return 0;
}

}  // namespace guestd::ctl
