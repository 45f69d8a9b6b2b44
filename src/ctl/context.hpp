// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What every verb is given, and what it shares with the others: access to JSON values that may be
/// missing, and the forms in which they are shown.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/sources.hpp"
#include "ctl/client.hpp"
#include "ctl/exit_codes.hpp"
#include "ctl/terminal.hpp"
#include "guestd/time.hpp"

namespace guestd::ctl {

struct Context {
    bool json = false;
    bool user_bus = false;
    std::function<int()> action;  ///< set by the verb that was chosen

    /// Connected at the first use.
    Client& client() {
        if (!client_)
            client_ = std::make_unique<Client>(user_bus);
        return *client_;
    }

private:
    std::unique_ptr<Client> client_;
};

// One per verb, each in the file of its name: registers the verb with its options.
void add_status(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_boot(CLI::App& app, Context& context);
void add_drain(CLI::App& app, Context& context);
void add_cancel(CLI::App& app, Context& context);
void add_wait(CLI::App& app, Context& context);
void add_autostart(CLI::App& app, Context& context);
void add_resume_list(CLI::App& app, Context& context);
void add_history(CLI::App& app, Context& context);
void add_plot(CLI::App& app, Context& context);
void add_monitor(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_metrics(CLI::App& app, Context& context);

/// Of the files that the guestd in question reads: the system's, or with --user the caller's own.
config::Sources own_sources(bool user_bus);

/// Value of `key`, or the type's empty value when it is missing or of another type.
std::string text_of(const Json& object, const char* key);
std::uint64_t number_of(const Json& object, const char* key);
bool flag_of(const Json& object, const char* key);
std::optional<TimePoint> time_of(const Json& object, const char* key);

/// CLOCK_BOOTTIME, on which guestd's times are.
TimePoint now();
/// "5s", "" without a time.
std::string elapsed_since(const std::optional<TimePoint>& time);
/// "2026-11-21 03:06:40" in local time, of microseconds since the epoch.
std::string wall_clock(std::uint64_t usec);

/// Pretty-printed, with a newline, in ASCII: a terminal obeys some of the rest. Never fails: what
/// is not UTF-8 is replaced.
void print_json(const Json& json);
/// As it is, to standard output. Throws Stop when that cannot be written.
void print(const std::string& text);

/// "1h 30min", "90s", "2min": a span as systemd writes them; a number alone is seconds. `option` is
/// where it was given. Throws Stop(kExitUsage).
Duration parse_span(const char* option, const std::string& text);

}  // namespace guestd::ctl
