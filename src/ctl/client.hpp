// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// guestctl's side of the bus: calls that wait for their answer, and signals. One thread.
/// Everything that goes wrong is a Stop with the exit status that belongs to it.

#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ctl/decode.hpp"
#include "ctl/exit_codes.hpp"

namespace guestd::ctl {

template <auto Fn>
struct Unref {
    template <class T>
    void operator()(T* object) const {
        Fn(object);
    }
};

using Strings = std::vector<std::string>;
using Options = std::map<std::string, std::variant<std::string, std::uint64_t, bool>>;
using Argument = std::variant<std::string, std::uint32_t, Strings, Options>;

/// guestd could, and will not: as things are now, or as it was asked (org.guestd1.Error.Refused).
class Refused : public Stop {
public:
    explicit Refused(const Stop& stop) : Stop(stop) {}
};

class Client {
public:
    /// A signal of guestd: its name and arguments. `gone` when guestd left the bus, `came` when it
    /// got there.
    using Listener = std::function<void(const std::string& member, const Json& arguments)>;
    /// One guest's part of GuestsChanged: [run, uri, uuid, name, what, outcome, text].
    static constexpr const char* kGuest = "GuestChanged";
    static constexpr const char* kGone = "gone";
    static constexpr const char* kCame = "came";

    /// Connects to the bus, not yet to guestd: whether that is there shows with the first call.
    explicit Client(bool user_bus);
    /// Never starts guestd: that would be a boot run nobody asked for.
    Json call(const char* method, const std::vector<Argument>& arguments = {});
    /// A call that polkit judges: when it wants a password, the person at the terminal, if there is
    /// one, is asked for it.
    Json command(const char* method, const std::vector<Argument>& arguments = {});
    /// From now on signals are kept until wait() hands them to `listener`.
    void listen(Listener listener);
    /// Hands out what has arrived; waits for at most `longest` when nothing has.
    void wait(std::chrono::microseconds longest);

private:
    using Message = std::unique_ptr<sd_bus_message, Unref<sd_bus_message_unref>>;

    Message new_call(const char* method, const std::vector<Argument>& arguments);
    std::optional<Json> try_call(const char* method, const std::vector<Argument>& arguments,
                                 bool person);
    void watch(const char* sender, const char* path, const char* interface, const char* member,
               sd_bus_message_handler_t handler);
    static int on_signal(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept;
    static int on_owner(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept;
    void deliver(const std::string& member, const Json& arguments) noexcept;

    std::unique_ptr<sd_bus, Unref<sd_bus_flush_close_unref>> bus_;
    Listener listener_;
    std::string needs_password_;  ///< what guestd said when it wanted one
    std::exception_ptr thrown_;   ///< by the listener, carried past sd-bus
};

}  // namespace guestd::ctl
