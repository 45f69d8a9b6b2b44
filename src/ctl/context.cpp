// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/context.hpp"

#include <fmt/chrono.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <limits>

#include "clock/boot_now.hpp"
#include "config/span.hpp"
#include "config/user_sources.hpp"
#include "render/units.hpp"

namespace guestd::ctl {

config::Sources own_sources(bool user_bus) {
    return user_bus ? config::user_sources(config::user_config_folder())
                    : config::default_sources();
}

std::string text_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::uint64_t number_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_number() ? at->get<std::uint64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_boolean() && at->get<bool>();
}

std::optional<TimePoint> time_of(const Json& object, const char* key) {
    if (!object.contains(key))
        return std::nullopt;
    return TimePoint{Duration{static_cast<Duration::rep>(number_of(object, key))}};
}

TimePoint now() {
    return boot_now();
}

std::string elapsed_since(const std::optional<TimePoint>& time) {
    return time ? render::duration(now() - *time) : std::string{};
}

std::string wall_clock(std::uint64_t usec) {
    const auto seconds = static_cast<std::time_t>(usec / 1000000);
    std::tm local{};
    if (usec == 0 || localtime_r(&seconds, &local) == nullptr)
        return {};
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

void print_json(const Json& json) {
    print(json.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n");
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw Stop{kExitFailure, "cannot write to standard output"};
}

Duration parse_span(const char* option, const std::string& text) {
    const auto span = config::parse_span(text);
    const std::string place = std::string{option} + " '" + text + "': ";
    if (!span)
        throw Stop{kExitUsage, place + span.error() + "; write it as 90s, 5min or 1h 30min"};
    if (*span <= Duration::zero())
        throw Stop{kExitUsage, place + "that is no time at all"};
    return *span;
}

}  // namespace guestd::ctl
