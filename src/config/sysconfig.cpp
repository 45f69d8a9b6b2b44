// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/sysconfig.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "config/compiler.hpp"
#include "config/span.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

/// GUESTD_ARGS is for the unit's command line, not for us.
constexpr auto kNames = std::to_array<std::string_view>(
    {"URIS", "ON_BOOT", "START_DELAY", "ON_SHUTDOWN", "PARALLEL_SHUTDOWN", "SHUTDOWN_TIMEOUT",
     "BYPASS_CACHE", "SYNC_TIME", "PERSISTENT_ONLY", "GUESTD_ARGS"});

class Compiler {
public:
    Compiler(const std::string& file, Duration deadline, Problems& problems)
        : deadline_(deadline), problems_(problems) {
        layer_.name = "sysconfig";
        layer_.file = file;
    }

    Layer run(const std::vector<Variable>& variables) {
        for (const auto& variable : variables)
            take(variable);
        if (on_shutdown_ != nullptr || timeout_ != nullptr)
            set_ladder();
        return std::move(layer_);
    }

private:
    void take(const Variable& v) {
        if (std::ranges::find(kNames, v.name) == kNames.end())
            return report(v.place, fmt::format("unknown variable {}{}", in_quotes(v.name),
                                               suggestion(v.name, kNames)));
        if (v.value.empty())  // as if the line were not there, as libvirt-guests takes it
            return;
        if (v.name == "URIS")
            set_uris(v);
        else if (v.name == "ON_BOOT")
            set_word(v, "boot.resume", "start", "ignore");
        else if (v.name == "START_DELAY")
            set_number(v, "boot.start_delay");
        else if (v.name == "ON_SHUTDOWN")
            set_on_shutdown(v);
        else if (v.name == "PARALLEL_SHUTDOWN")
            set_parallel(v);
        else if (v.name == "SHUTDOWN_TIMEOUT")
            set_timeout(v);
        else if (v.name == "SYNC_TIME")
            set_word(v, "boot.sync_time", "1", "0");
        else if (v.name == "PERSISTENT_ONLY")
            set_persistent_only(v);
        else if (v.name == "BYPASS_CACHE") {
            if (set_word(v, "boot.bypass_cache", "1", "0"))
                set_word(v, "shutdown.bypass_cache", "1", "0");
        }
    }

    void report(Place place, std::string message) {
        problems_.push_back({layer_.file, place.line, place.column, std::move(message)});
    }

    void refuse(const Variable& v, std::string_view allowed) {
        report(v.value_place,
               fmt::format("{} is {}; expected {}", v.name, in_quotes(v.value), allowed));
    }

    void assign(const Variable& v, std::string_view name, decltype(Node::data) data) {
        const auto* key = find_key(TableKind::global, name);
        auto value = parse_value(layer_.file, *key, v.name, "sysconfig",
                                 Node{std::move(data), v.value_place});
        if (value)
            layer_.assignments.push_back({key, *std::move(value), std::nullopt, v.place});
        else
            problems_.push_back(value.error());
    }

    bool set_word(const Variable& v, std::string_view key, std::string_view yes,
                  std::string_view no) {
        const bool known = v.value == yes || v.value == no;
        if (known)
            assign(v, key, v.value == yes);
        else
            refuse(v, alternatives(std::array{yes, no}));
        return known;
    }

    void set_number(const Variable& v, std::string_view key) {
        if (const auto number = whole(v))
            assign(v, key, *number);
    }

    void set_uris(const Variable& v) {
        Array uris;
        std::string_view rest = v.value;
        while (!(rest = trim(rest)).empty()) {
            const auto uri = rest.substr(0, rest.find_first_of(" \t\n"));
            rest.remove_prefix(uri.size());
            // libvirt-guests lets virsh choose then; for root that is the system's QEMU.
            uris.push_back({std::string{uri == "default" ? "qemu:///system" : uri}, v.value_place});
        }
        assign(v, "daemon.uris", std::move(uris));
    }

    void set_on_shutdown(const Variable& v) {
        if (v.value != "shutdown" && v.value != "suspend")
            return refuse(v, "\"shutdown\" or \"suspend\"");
        on_shutdown_ = &v;
    }

    void set_timeout(const Variable& v) {
        if (const auto seconds = whole(v)) {
            timeout_ = &v;
            timeout_seconds_ = *seconds;
        }
    }

    /// In libvirt-guests 0 and 1 both mean one guest after the other.
    void set_parallel(const Variable& v) {
        if (const auto number = whole(v))
            assign(v, "shutdown.parallel_shutdown", std::max<std::int64_t>(*number, 1));
    }

    /// "default" depends on ON_SHUTDOWN there; here transient guests are asked to stop anyway.
    void set_persistent_only(const Variable& v) {
        if (v.value == "true")
            assign(v, "shutdown.transient", std::string{"leave"});
        else if (v.value == "false")
            assign(v, "shutdown.transient", std::string{"shutdown"});
        else if (v.value != "default")
            refuse(v, "\"true\", \"false\" or \"default\"");
    }

    void set_ladder() {
        const bool suspend = on_shutdown_ != nullptr && on_shutdown_->value == "suspend";
        const auto& v = on_shutdown_ != nullptr ? *on_shutdown_ : *timeout_;
        std::vector<std::string> steps;
        if (timeout_ != nullptr && timeout_seconds_ == 0 && !suspend) {
            const auto left = std::max<Duration>(deadline_ - kDefaultDestroyTime, 1s);
            steps = {"shutdown " + format_span(left), "destroy"};
        } else {
            const auto time = timeout_ != nullptr && timeout_seconds_ > 0
                                  ? fmt::format("shutdown {}s", timeout_seconds_)
                                  : std::string{"shutdown 5min"};
            if (suspend)
                steps = {"save 5min", time, "destroy"};
            else
                steps = {time, "save 5min", "destroy"};
        }
        Array ladder;
        for (auto& step : steps)
            ladder.push_back({std::move(step), v.value_place});
        assign(v, "shutdown.stop", std::move(ladder));
    }

    std::optional<std::int64_t> whole(const Variable& v) {
        constexpr std::size_t kMostDigits = 9;  // thirty years, in seconds
        if (v.value.size() > kMostDigits || !std::ranges::all_of(v.value, is_digit)) {
            refuse(v, "a whole number, not negative");
            return std::nullopt;
        }
        return std::stoll(v.value);
    }

    Layer layer_;
    Duration deadline_;
    Problems& problems_;
    const Variable* on_shutdown_ = nullptr;
    const Variable* timeout_ = nullptr;
    std::int64_t timeout_seconds_ = 0;
};

}  // namespace

Layer compile_sysconfig(const std::string& file, const std::vector<Variable>& variables,
                        Duration deadline, Problems& problems) {
    return Compiler{file, deadline, problems}.run(variables);
}

}  // namespace guestd::config
