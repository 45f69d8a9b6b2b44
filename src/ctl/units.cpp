// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/units.hpp"

#include <systemd/sd-bus.h>

#include <cstring>
#include <memory>

#include "ctl/client.hpp"
#include "ctl/exit_codes.hpp"

namespace guestd::ctl {
namespace {

using Bus = std::unique_ptr<sd_bus, Unref<sd_bus_flush_close_unref>>;
using Message = std::unique_ptr<sd_bus_message, Unref<sd_bus_message_unref>>;

/// A reload of a busy manager takes seconds; sd-bus' own limit fits.
constexpr std::uint64_t kUsualTimeout = 0;

int check(int result, const std::string& doing) {
    if (result < 0)
        throw Stop{kExitFailure, "cannot " + doing + ": " + strerror(-result)};
    return result;
}

Message new_call(sd_bus* bus, const char* method, const std::string& doing) {
    sd_bus_message* raw = nullptr;
    check(sd_bus_message_new_method_call(bus, &raw, "org.freedesktop.systemd1",
                                         "/org/freedesktop/systemd1",
                                         "org.freedesktop.systemd1.Manager", method),
          doing);
    return Message{raw};
}

void call(sd_bus* bus, sd_bus_message* message, const std::string& doing) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    const int result = sd_bus_call(bus, message, kUsualTimeout, &error, &reply);
    const Message answer{reply};
    const std::string text = error.message == nullptr ? strerror(-result) : error.message;
    sd_bus_error_free(&error);
    if (result < 0)
        throw Stop{kExitFailure, "cannot " + doing + ": " + text};
}

}  // namespace

void enable_unit(const std::string& name) {
    const std::string doing = "enable " + name;
    sd_bus* raw = nullptr;
    check(sd_bus_open_system(&raw), doing);
    const Bus bus{raw};
    const Message enable = new_call(raw, "EnableUnitFiles", doing);
    const char* const units[] = {name.c_str(), nullptr};
    char** const strv = const_cast<char**>(units);
    check(sd_bus_message_append_strv(enable.get(), strv), doing);
    const int no = 0;  // neither for this boot only, nor in place of somebody else's link
    check(sd_bus_message_append_basic(enable.get(), 'b', &no), doing);
    check(sd_bus_message_append_basic(enable.get(), 'b', &no), doing);
    call(raw, enable.get(), doing);
    call(raw, new_call(raw, "Reload", doing).get(), "make systemd read its units again");
}

}  // namespace guestd::ctl
