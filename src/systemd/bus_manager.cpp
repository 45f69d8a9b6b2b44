// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_manager.hpp"

#include <algorithm>

#include "systemd/bus_encode.hpp"
#include "systemd/bus_names.hpp"
#include "systemd/bus_polkit.hpp"

namespace guestd::bus {
namespace {

/// Rows that one ListRuns answers at most; the store keeps no more runs than this.
constexpr std::uint32_t kMostRuns = 1000;

/// Takes the option out of `options`; what is left at the end is unknown.
template <class T>
std::optional<T> take(Options& options, const std::string& key) {
    const auto at = options.find(key);
    if (at == options.end())
        return std::nullopt;
    const T* const value = std::get_if<T>(&at->second);
    if (value == nullptr)
        throw Failure{kErrorInvalid, "option " + raw_quote(key) + " has the wrong type"};
    T taken = *value;
    options.erase(at);
    return taken;
}

void refuse_unknown(const Options& options) {
    if (!options.empty())
        throw Failure{kErrorInvalid, "unknown option " + raw_quote(options.begin()->first)};
}

Trigger trigger_of(const std::string& text) {
    const auto trigger = parse_trigger(text);
    if (!trigger || *trigger == Trigger::host_boot)
        throw Failure{kErrorInvalid, raw_quote(text) + " is no reason for a drain"};
    return *trigger;
}

Uuid uuid_of(const std::string& text) {
    const auto uuid = Uuid::parse(text);
    if (!uuid)
        throw Failure{kErrorInvalid, raw_quote(text) + " is no UUID"};
    return *uuid;
}

template <class T>
void answer_with(const Call& call, const Result<T>& result) {
    if (!result)
        call->refuse(Failure{result.error()});
    else
        call->answer([&](sd_bus_message* into) { append(into, *result); });
}

template <class T>
void answer_list(const Call& call, const std::vector<T>& views) {
    call->answer([&](sd_bus_message* into) { encode(into, views); });
}

}  // namespace

void status(Facade& facade, const Call& call) {
    auto status = facade.status();
    facade.add_warnings(status);
    call->answer([&](sd_bus_message* into) { encode(into, status, facade.progress()); });
}

void list_guests(Facade& facade, const Call& call) {
    answer_list(call, facade.guests(read_strings(call->message())));
}

void list_metadata(Facade& facade, const Call& call) {
    const auto metadata = facade.metadata(read_strings(call->message()));
    if (!metadata)
        throw Failure{metadata.error()};
    answer_list(call, *metadata);
}

void list_uris(Facade& facade, const Call& call) {
    answer_list(call, facade.uris());
}

void list_resume_list(Facade& facade, const Call& call) {
    answer_list(call, facade.resume_list());
}

void list_runs(Facade& facade, const Call& call) {
    const std::uint32_t limit = read_u32(call->message());
    when_counted(call, [&facade, call, limit] {
        facade.runs(limit == 0 ? kMostRuns : std::min(limit, kMostRuns),
                    reply_to<std::vector<RunView>>(call));
    });
}

void run_guests(Facade& facade, const Call& call) {
    const RunId run = read_u32(call->message());
    when_counted(call, [&facade, call, run] {
        facade.run_guests(run, reply_to<std::vector<RunGuestRecord>>(call));
    });
}

void run_spans(Facade& facade, const Call& call) {
    const RunId run = read_u32(call->message());
    when_counted(call, [&facade, call, run] {
        facade.run_spans(run, reply_to<std::vector<SpanRecord>>(call));
    });
}

void explain(Facade& facade, const Call& call) {
    const std::string guest = read_string(call->message());
    const std::string trigger = read_string(call->message());
    const auto settings =
        facade.explain(guest, trigger.empty() ? std::nullopt : std::optional{trigger_of(trigger)});
    if (!settings)
        throw Failure{settings.error()};
    answer_list(call, *settings);
}

void boot(Facade& facade, const Call& call) {
    BootRequest request;
    request.selection = read_strings(call->message());
    Options options = read_options(call->message());
    request.skip = take<bool>(options, "skip").value_or(false);
    refuse_unknown(options);
    if_may_command(call, actions::kBoot,
                   [&facade, call, request] { answer_with(call, facade.boot(request)); });
}

void drain(Facade& facade, const Call& call) {
    DrainRequest request;
    request.selection = read_strings(call->message());
    Options options = read_options(call->message());
    if (const auto trigger = take<std::string>(options, "trigger"))
        request.trigger = trigger_of(*trigger);
    if (const auto usec = take<std::uint64_t>(options, "deadline_usec")) {
        // A year is longer than any drain, and far from where TimePoint overflows.
        constexpr std::uint64_t kLongest = 365ULL * 86400 * 1000000;
        if (*usec == 0 || *usec > kLongest)
            throw Failure{kErrorInvalid, "the deadline must lie within a year from now"};
        request.deadline = Duration{static_cast<Duration::rep>(*usec)};
    }
    refuse_unknown(options);
    if_may_command(call, actions::kDrain,
                   [&facade, call, request] { answer_with(call, facade.drain(request)); });
}

void cancel(Facade& facade, const Call& call) {
    const RunId run = read_u32(call->message());
    if_may_command(call, actions::kCancel,
                   [&facade, call, run] { answer_with(call, facade.cancel(run)); });
}

void remember(Facade& facade, const Call& call) {
    const std::string uri = read_string(call->message());
    const Uuid uuid = uuid_of(read_string(call->message()));
    if_may_command(call, actions::kChangeResumeList,
                   [&facade, call, uri, uuid] { answer_with(call, facade.remember(uri, uuid)); });
}

void forget(Facade& facade, const Call& call) {
    const std::string uri = read_string(call->message());
    const Uuid uuid = uuid_of(read_string(call->message()));
    if_may_command(call, actions::kChangeResumeList,
                   [&facade, call, uri, uuid] { answer_with(call, facade.forget(uri, uuid)); });
}

void reload(Facade& facade, const Call& call) {
    if_may_command(call, actions::kReload, [&facade, call] {
        const Result<void> result = facade.reload();
        if (!result)
            call->refuse(Failure{result.error()});
        else
            call->answer();
    });
}

}  // namespace guestd::bus
