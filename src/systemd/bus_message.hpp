// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Typed reading and writing of D-Bus messages: the only place of the daemon that meets sd-bus'
/// varargs.
///
/// Inside the bus code a failure is an exception (`Failure`), because a message is read and written
/// in a dozen steps of which each may fail; the trampolines of bus_vtable.cpp turn it into a D-Bus
/// error. It never leaves the bus code.

#include <systemd/sd-bus.h>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "guestd/error.hpp"
#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::bus {

template <auto Fn>
struct Unref {
    template <class T>
    void operator()(T* object) const {
        Fn(object);
    }
};
using Message = std::unique_ptr<sd_bus_message, Unref<sd_bus_message_unref>>;
using Slot = std::unique_ptr<sd_bus_slot, Unref<sd_bus_slot_unref>>;

/// A D-Bus error on its way to the caller: a name of bus_names.hpp and a text for people.
class Failure : public std::exception {
public:
    Failure(const char* name, std::string text) : name_(name), text_(std::move(text)) {}
    /// A fault of the daemon under the name that its code maps to.
    explicit Failure(const Error& error);
    const char* name() const { return name_; }
    const char* what() const noexcept override { return text_.c_str(); }

private:
    const char* name_;
    std::string text_;
};

/// Throws Failure when an sd-bus function returned a negative errno.
int check(int result, const char* doing);

/// Text that the bus accepts: what is not UTF-8 is written as \xNN, and NUL too. One bad byte would
/// otherwise make the bus daemon cut us off.
std::string wire_text(std::string_view text);

/// What the caller said, for an error message: in quotes, only its beginning if it is long, and not
/// escaped, as nothing on the bus is: whoever shows it does that.
std::string raw_quote(std::string_view text);

/// Bytes of one text: as long as a path may be, so more than a name, URI or UUID needs. The bus
/// lets a message have 128 MiB, and what waits for polkit is kept.
inline constexpr std::size_t kMostTextLength = 4096;
/// A Failure when it is longer.
std::string read_string(sd_bus_message* message);
std::uint32_t read_u32(sd_bus_message* message);
/// Bytes that the texts of one array may have together; each counts at least kTextCost. More names
/// than anybody types, and few enough that a comparison of all with every guest does not hold the
/// loop: also who may not command may ask for that.
inline constexpr std::size_t kMostTextBytes = std::size_t{32} * 1024;
inline constexpr std::size_t kTextCost = 8;
/// An as. A Failure when it is too large.
std::vector<std::string> read_strings(sd_bus_message* message);

using Option = std::variant<std::string, std::uint64_t, bool>;
using Options = std::map<std::string, Option>;
/// More than any method has, now or later.
inline constexpr std::size_t kMostOptions = 32;
/// An a{sv} with values of the types s, b, u, t; others, and too many, are the caller's mistake.
Options read_options(sd_bus_message* message);

void append(sd_bus_message* message, std::string_view text);
void append(sd_bus_message* message, std::uint32_t number);
void append(sd_bus_message* message, bool flag);

/// An open container, closed with the object. On the way of an exception the message is thrown away
/// half-written, so nothing is closed then.
class Container {
public:
    Container(sd_bus_message* message, char type, const char* contents);
    ~Container();
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;

private:
    sd_bus_message* message_;
    int exceptions_;
};

/// Writes one a{sv}. Times are microseconds of CLOCK_BOOTTIME, durations microseconds.
class Dict {
public:
    explicit Dict(sd_bus_message* message) : message_(message), array_(message, 'a', "{sv}") {}

    void text(const char* key, std::string_view value);
    void texts(const char* key, const std::vector<std::string>& values);
    void flag(const char* key, bool value);
    void count(const char* key, std::uint32_t value);
    void number(const char* key, std::uint64_t value);
    void time(const char* key, TimePoint value);
    void bytes(const char* key, Bytes value) { number(key, value.count); }

    /// A value that `write(message)` appends, of D-Bus type `signature`.
    template <class Write>
    void nested(const char* key, const char* signature, Write&& write) {
        Container entry{message_, 'e', "sv"};
        append(message_, key_text(key));
        Container variant{message_, 'v', signature};
        write(message_);
    }

private:
    static std::string_view key_text(const char* key) { return key; }
    sd_bus_message* message_;
    Container array_;
};

}  // namespace guestd::bus
