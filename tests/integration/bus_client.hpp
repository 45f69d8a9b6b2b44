// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A program on the private bus that talks to guestd without guestctl.

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "systemd/bus_message.hpp"
#include "systemd/bus_names.hpp"

namespace guestd::bus::test {

using Connection = std::unique_ptr<sd_bus, Unref<sd_bus_flush_close_unref>>;

inline Connection connect() {
    sd_bus* bus = nullptr;
    EXPECT_GE(sd_bus_open_system(&bus), 0);
    return Connection{bus};
}

/// Connects as somebody else; needs root. Only this thread is somebody else meanwhile.
inline Connection connect_as(uid_t uid) {
    constexpr auto kSame = static_cast<uid_t>(-1);
    EXPECT_EQ(::syscall(SYS_setresuid, kSame, uid, kSame), 0);
    Connection bus = connect();
    // The server has looked at who connects once the name is there.
    const char* name = nullptr;
    EXPECT_GE(sd_bus_get_unique_name(bus.get(), &name), 0);
    EXPECT_EQ(::syscall(SYS_setresuid, kSame, 0, kSame), 0);
    return bus;
}

struct Answer {
    Message message;
    std::string error;  ///< name
    std::string text;
};

/// `write(message)` appends the arguments.
inline Answer call(sd_bus* bus, const char* member,
                   const std::function<void(sd_bus_message*)>& write,
                   const char* interface = kManager, const char* path = kPath) {
    sd_bus_message* raw = nullptr;
    sd_bus_message_new_method_call(bus, &raw, kService, path, interface, member);
    const Message message{raw};
    write(raw);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    sd_bus_call(bus, raw, 0, &error, &reply);
    Answer answer{Message{reply}, error.name == nullptr ? "" : error.name,
                  error.message == nullptr ? "" : error.message};
    sd_bus_error_free(&error);
    return answer;
}

/// The string that comes next, however long: an introspection is longer than what guestd reads.
inline std::string long_text(sd_bus_message* message) {
    const char* text = nullptr;
    EXPECT_GT(sd_bus_message_read_basic(message, 's', &text), 0);
    return text == nullptr ? "" : text;
}

/// Hands out what arrives until `done`.
inline void process_until(sd_bus* bus, const std::function<bool()>& done) {
    constexpr std::uint64_t kLongestUsec = 60'000'000;
    while (!done()) {
        if (sd_bus_process(bus, nullptr) == 0) {
            ASSERT_GT(sd_bus_wait(bus, kLongestUsec), 0);
        }
    }
}

}  // namespace guestd::bus::test
