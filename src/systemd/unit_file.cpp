// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/unit_file.hpp"

#include <systemd/sd-bus.h>

#include <cstdint>
#include <memory>

#include "systemd/bus_message.hpp"

namespace guestd::systemd {
namespace {

/// It takes a millisecond, and some more in the midst of a shutdown.
constexpr std::uint64_t kAnswerWithin = 2'000'000;

}  // namespace

std::string unit_file_state(const char* unit) {
    sd_bus* raw = nullptr;
    if (sd_bus_open_system(&raw) < 0)
        return {};
    const std::unique_ptr<sd_bus, bus::Unref<sd_bus_flush_close_unref>> connection{raw};
    sd_bus_set_method_call_timeout(raw, kAnswerWithin);
    sd_bus_message* answer = nullptr;
    if (sd_bus_call_method(raw, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                           "org.freedesktop.systemd1.Manager", "GetUnitFileState", nullptr, &answer,
                           "s", unit) < 0)
        return {};
    const bus::Message read{answer};
    const char* state = "";
    return sd_bus_message_read_basic(answer, 's', &state) > 0 ? state : "";
}

}  // namespace guestd::systemd
