// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/decode.hpp"

#include <cstring>

#include "ctl/exit_codes.hpp"

namespace guestd::ctl {
namespace {

/// D-Bus allows 64 levels; the interface has five.
constexpr unsigned kDeepest = 16;

int check(int result) {
    if (result < 0)
        throw Stop{kExitFailure, std::string{"cannot read guestd's answer: "} + strerror(-result)};
    return result;
}

template <class T>
Json basic(sd_bus_message* message, char type) {
    T value{};
    check(sd_bus_message_read_basic(message, type, &value));
    return value;
}

Json value(sd_bus_message* message, unsigned depth);

/// Arrays of dictionary entries become objects, others arrays.
Json array(sd_bus_message* message, const char* contents, unsigned depth) {
    check(sd_bus_message_enter_container(message, 'a', contents));
    const bool dictionary = contents[0] == '{';
    Json out = dictionary ? Json::object() : Json::array();
    const std::string pair =
        dictionary ? std::string{contents + 1, std::strlen(contents) - 2} : std::string{};
    while (check(sd_bus_message_at_end(message, 0)) == 0) {
        if (!dictionary) {
            out.push_back(value(message, depth + 1));
            continue;
        }
        check(sd_bus_message_enter_container(message, 'e', pair.c_str()));
        const Json key = value(message, depth + 1);
        out[key.is_string() ? key.get<std::string>() : key.dump()] = value(message, depth + 1);
        check(sd_bus_message_exit_container(message));
    }
    check(sd_bus_message_exit_container(message));
    return out;
}

Json value(sd_bus_message* message, unsigned depth) {
    char type = 0;
    const char* contents = nullptr;
    check(sd_bus_message_peek_type(message, &type, &contents));
    if (depth > kDeepest)
        throw Stop{kExitFailure, "guestd's answer is nested too deeply"};
    switch (type) {
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
            return basic<const char*>(message, type);
        case SD_BUS_TYPE_BOOLEAN:
            return basic<int>(message, type) != 0;
        case SD_BUS_TYPE_UINT32:
            return basic<std::uint32_t>(message, type);
        case SD_BUS_TYPE_INT32:
            return basic<std::int32_t>(message, type);
        case SD_BUS_TYPE_UINT64:
            return basic<std::uint64_t>(message, type);
        case SD_BUS_TYPE_INT64:
            return basic<std::int64_t>(message, type);
        case SD_BUS_TYPE_DOUBLE:
            return basic<double>(message, type);
        case SD_BUS_TYPE_VARIANT: {
            check(sd_bus_message_enter_container(message, type, contents));
            Json inner = value(message, depth + 1);
            check(sd_bus_message_exit_container(message));
            return inner;
        }
        case SD_BUS_TYPE_ARRAY:
            return array(message, contents, depth);
        case SD_BUS_TYPE_STRUCT: {
            check(sd_bus_message_enter_container(message, type, contents));
            Json members = Json::array();
            while (check(sd_bus_message_at_end(message, 0)) == 0)
                members.push_back(value(message, depth + 1));
            check(sd_bus_message_exit_container(message));
            return members;
        }
        default:
            throw Stop{kExitFailure, std::string{"guestd's answer has an unknown type "} + type};
    }
}

}  // namespace

Json decode(sd_bus_message* message) {
    Json values = Json::array();
    while (check(sd_bus_message_at_end(message, 1)) == 0)
        values.push_back(value(message, 0));
    if (values.empty())
        return nullptr;
    return values.size() == 1 ? values[0] : values;
}

}  // namespace guestd::ctl
