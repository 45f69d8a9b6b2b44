// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_message.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "guestd/utf8.hpp"
#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

const char* error_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid:
            return kErrorInvalid;
        case ErrorCode::unavailable:
            return kErrorUnavailable;
        case ErrorCode::io:
            return kErrorIo;
        case ErrorCode::corrupt:
            return kErrorCorrupt;
        case ErrorCode::refused:
            return kErrorRefused;
        case ErrorCode::internal:
            return kErrorInternal;
    }
    return kErrorInternal;
}

/// A byte of UTF-8 that begins no character.
bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80;
}

Option read_option(sd_bus_message* message, const std::string& key, char type) {
    switch (type) {
        case SD_BUS_TYPE_STRING:
            return read_string(message);
        case SD_BUS_TYPE_UINT32:
            return std::uint64_t{read_u32(message)};
        case SD_BUS_TYPE_UINT64: {
            std::uint64_t number = 0;
            check(sd_bus_message_read_basic(message, 't', &number), "read a number");
            return number;
        }
        case SD_BUS_TYPE_BOOLEAN: {
            int flag = 0;
            check(sd_bus_message_read_basic(message, 'b', &flag), "read a flag");
            return flag != 0;
        }
        default:
            throw Failure{kErrorInvalid,
                          "option " + raw_quote(key) + " has a type that no option has"};
    }
}

}  // namespace

Failure::Failure(const Error& error) : Failure(error_name(error.code()), error.message()) {}

int check(int result, const char* doing) {
    // sd-bus is stricter than the bus daemon about what text is.
    if (result == -EBADMSG)
        throw Failure{kErrorInvalid, std::string{"cannot "} + doing + ": it is malformed"};
    if (result < 0)
        throw Failure{kErrorInternal, std::string{"cannot "} + doing + ": " + strerror(-result)};
    return result;
}

std::string wire_text(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const Utf8Char next = decode_utf8(text);
        if (next.valid && next.code != 0) {
            clean += text.substr(0, next.length);
        } else {
            clean += "\\x";
            clean += kDigits[next.code >> 4];
            clean += kDigits[next.code & 15];
        }
        text.remove_prefix(next.length);
    }
    return clean;
}

std::string raw_quote(std::string_view text) {
    constexpr std::size_t kMost = 64;
    std::size_t end = std::min(text.size(), kMost);
    while (end > 0 && end < text.size() && is_continuation(text[end]))
        --end;
    return "'" + std::string{text.substr(0, end)} + (end < text.size() ? "…'" : "'");
}

std::string read_string(sd_bus_message* message) {
    const char* text = nullptr;
    check(sd_bus_message_read_basic(message, 's', &text), "read a string");
    if (text == nullptr)
        return "";
    const std::size_t length = strnlen(text, kMostTextLength + 1);
    if (length > kMostTextLength)
        throw Failure{kErrorInvalid, "a text is longer than any name"};
    return {text, length};
}

std::uint32_t read_u32(sd_bus_message* message) {
    std::uint32_t number = 0;
    check(sd_bus_message_read_basic(message, 'u', &number), "read a number");
    return number;
}

std::vector<std::string> read_strings(sd_bus_message* message) {
    std::vector<std::string> texts;
    check(sd_bus_message_enter_container(message, 'a', "s"), "read an array");
    const char* text = nullptr;
    std::size_t bytes = 0;
    while (check(sd_bus_message_read_basic(message, 's', &text), "read a string") > 0) {
        bytes += std::max(strnlen(text, kMostTextBytes + 1), kTextCost);
        if (bytes > kMostTextBytes)
            throw Failure{kErrorInvalid, "too many names at once"};
        texts.emplace_back(text);
    }
    check(sd_bus_message_exit_container(message), "read an array");
    return texts;
}

Options read_options(sd_bus_message* message) {
    Options options;
    check(sd_bus_message_enter_container(message, 'a', "{sv}"), "read options");
    while (check(sd_bus_message_enter_container(message, 'e', "sv"), "read an option") > 0) {
        if (options.size() == kMostOptions)
            throw Failure{kErrorInvalid, "too many options"};
        const std::string key = read_string(message);
        const char* contents = nullptr;
        check(sd_bus_message_peek_type(message, nullptr, &contents), "read an option");
        check(sd_bus_message_enter_container(message, 'v', contents), "read an option");
        // A contents longer than one character is a container, which no option is.
        const char type = contents[0] != '\0' && contents[1] == '\0' ? contents[0] : '\0';
        if (!options.emplace(key, read_option(message, key, type)).second)
            throw Failure{kErrorInvalid, "option " + raw_quote(key) + " is given twice"};
        check(sd_bus_message_exit_container(message), "read an option");
        check(sd_bus_message_exit_container(message), "read an option");
    }
    check(sd_bus_message_exit_container(message), "read options");
    return options;
}

void append(sd_bus_message* message, std::string_view text) {
    check(sd_bus_message_append_basic(message, 's', wire_text(text).c_str()), "write a string");
}

void append(sd_bus_message* message, std::uint32_t number) {
    check(sd_bus_message_append_basic(message, 'u', &number), "write a number");
}

void append(sd_bus_message* message, bool flag) {
    const int value = flag ? 1 : 0;
    check(sd_bus_message_append_basic(message, 'b', &value), "write a flag");
}

Container::Container(sd_bus_message* message, char type, const char* contents)
    : message_(message), exceptions_(std::uncaught_exceptions()) {
    check(sd_bus_message_open_container(message, type, contents), "write a container");
}

Container::~Container() {
    // Closing can only fail when something inside was not written, and that has thrown.
    if (std::uncaught_exceptions() == exceptions_)
        sd_bus_message_close_container(message_);
}

void Dict::text(const char* key, std::string_view value) {
    nested(key, "s", [&](sd_bus_message* message) { append(message, value); });
}

void Dict::texts(const char* key, const std::vector<std::string>& values) {
    nested(key, "as", [&](sd_bus_message* message) {
        Container array{message, 'a', "s"};
        for (const auto& value : values)
            append(message, std::string_view{value});
    });
}

void Dict::flag(const char* key, bool value) {
    nested(key, "b", [&](sd_bus_message* message) { append(message, value); });
}

void Dict::count(const char* key, std::uint32_t value) {
    nested(key, "u", [&](sd_bus_message* message) { append(message, value); });
}

void Dict::number(const char* key, std::uint64_t value) {
    nested(key, "t", [&](sd_bus_message* message) {
        check(sd_bus_message_append_basic(message, 't', &value), "write a number");
    });
}

void Dict::time(const char* key, TimePoint value) {
    number(key, static_cast<std::uint64_t>(value.time_since_epoch().count()));
}

}  // namespace guestd::bus
