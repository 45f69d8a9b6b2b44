// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl metrics: how guestd and its guests are, for Prometheus. docs/metrics.md has the list.

#include "render/metrics.hpp"

#include <algorithm>
#include <array>

#include "ctl/context.hpp"
#include "ctl/files.hpp"
#include "ctl/run_times.hpp"
#include "guestd/types.hpp"

namespace guestd::ctl {
namespace {

using render::Labels;
using render::Metrics;

/// Newest runs among which the last of each kind is looked for.
constexpr std::uint32_t kRuns = 200;
/// Every outcome of each kind is told, with zero where there was none: what appears only in trouble
/// cannot be alerted on.
using Outcomes = std::vector<Outcome>;
const Outcomes& outcomes_of(const std::string& kind) {
    using enum Outcome;
    static const Outcomes drain = {shut_down,    saved,   migrated, destroyed,
                                   left_running, skipped, failed};
    static const Outcomes boot = {started,        restored, already_running, gone,
                                  held_elsewhere, skipped,  failed};
    return kind == "boot" ? boot : drain;
}

/// A label must not have ever new values; the words for people have, such as percents and names.
/// What is not known here is one of the gates of `needs`, a lock, or a definition to be mended.
std::string class_of(const std::string& held_for) {
    struct Class {
        std::string_view word;
        const char* name;
    };
    static constexpr std::array kClasses = {
        // What holds a name comes first: the name may hold any of the other words.
        Class{"to be ready", "order"},   Class{"to be off", "order"},
        Class{"guests that", "order"},   Class{"pressure", "pressure"},
        Class{"memory", "memory"},       Class{"start_delay", "delay"},
        Class{"a free place", "place"},  Class{"a free call", "libvirt"},
        Class{"libvirt", "libvirt"},     Class{"to return", "libvirt"},
        Class{"next try", "retry"},      Class{"delay:", "readiness"},
        Class{"agent", "readiness"},     Class{"tcp:", "readiness"},
        Class{"exec:", "readiness"},     Class{"address", "readiness"},
        Class{"io-settle", "readiness"},
    };
    const auto found = std::ranges::find_if(
        kClasses, [&](const Class& each) { return held_for.find(each.word) != std::string::npos; });
    return found == kClasses.end() ? "gate" : found->name;
}

double seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

double number(const Json& object, const char* key) {
    return static_cast<double>(number_of(object, key));
}

void add_guests(Metrics& metrics, const Json& uris, const Json& guests) {
    using enum GuestState;
    std::map<std::pair<std::string, std::string>, unsigned> counts;
    for (const auto& uri : uris)
        for (const auto state : {running, paused, shutoff, crashed, pmsuspended, shutting_down})
            counts[{text_of(uri, "uri"), std::string{to_string(state)}}] = 0;
    std::map<std::string, unsigned> held;
    for (const auto& guest : guests) {
        ++counts[{text_of(guest, "uri"), text_of(guest, "state")}];
        if (const std::string reason = text_of(guest, "held_for"); !reason.empty())
            ++held[class_of(reason)];
    }
    metrics.family("guestd_guests", "Guests that guestd knows, by state.");
    for (const auto& [key, count] : counts)
        metrics.sample({{"uri", key.first}, {"state", key.second}}, count);
    metrics.family("guestd_held_guests", "Guests of the active run that wait, by what for.");
    for (const auto& [reason, count] : held)
        metrics.sample({{"reason", reason}}, count);
}

void add_uris(Metrics& metrics, const Json& uris) {
    metrics.family("guestd_uri_connected", "Whether libvirt answers at this URI.");
    for (const auto& uri : uris)
        metrics.sample({{"uri", text_of(uri, "uri")}}, flag_of(uri, "connected") ? 1 : 0);
    metrics.family("guestd_uri_connect_attempts", "Attempts to connect since it was lost.");
    for (const auto& uri : uris)
        metrics.sample({{"uri", text_of(uri, "uri")}}, number(uri, "attempts"));
}

void add_status(Metrics& metrics, const Json& status) {
    metrics.family("guestd_build_info", "The version of guestd that answers.");
    metrics.sample({{"version", text_of(status, "version")}}, 1);
    metrics.family("guestd_degraded", "Whether guestd is not as it should be.");
    metrics.sample(text_of(status, "degraded").empty() ? 0 : 1);
    metrics.family("guestd_warnings", "Warnings that guestctl status shows.");
    metrics.sample(static_cast<double>(status.value("warnings", Json::array()).size()));
    metrics.family("guestd_resume_list_entries", "Guests that wait to be brought back.");
    metrics.sample(number(status, "resume_entries"));
    const Json run = status.value("active_run", Json::object());
    metrics.family("guestd_run_active", "Whether a run of this kind is under way.");
    for (const std::string kind : {"boot", "drain"})
        metrics.sample({{"kind", kind}}, text_of(run, "kind") == kind ? 1 : 0);
    metrics.family("guestd_active_run_guests", "Guests of the active run.");
    metrics.sample(number(run, "guests"));
    metrics.family("guestd_active_run_done_guests", "Guests of the active run that are done.");
    metrics.sample(number(run, "done"));
}

/// The last run of one kind, with all that is known of its guests.
struct LastRun {
    std::string kind;
    Json run;
    Json guests;
    std::map<GuestKey, Spent> spent;
    std::map<std::string, Duration> saving;
};

std::vector<LastRun> last_runs(Client& client) {
    std::vector<LastRun> last;
    for (const auto& run : client.call("ListRuns", {kRuns})) {
        const std::string kind = text_of(run, "kind");
        const bool known = std::any_of(last.begin(), last.end(),
                                       [&](const LastRun& each) { return each.kind == kind; });
        if (known || text_of(run, "state") == "active")
            continue;
        const auto id = static_cast<std::uint32_t>(number_of(run, "run"));
        const Json spans = client.call("RunSpans", {id});
        last.push_back(
            {kind, run, client.call("RunGuests", {id}), times_of(spans), saving_times_of(spans)});
    }
    std::sort(last.begin(), last.end(),
              [](const LastRun& a, const LastRun& b) { return a.kind < b.kind; });
    return last;
}

void add_runs(Metrics& metrics, const std::vector<LastRun>& runs) {
    metrics.family("guestd_last_run_start_timestamp_seconds", "When the last run began.");
    for (const auto& last : runs)
        metrics.sample({{"kind", last.kind}}, number(last.run, "started_wall_usec") / 1e6);
    metrics.family("guestd_last_run_duration_seconds", "How long the last run took.");
    for (const auto& last : runs)
        if (const auto begin = time_of(last.run, "started_usec"),
            end = time_of(last.run, "ended_usec");
            begin && end)
            metrics.sample({{"kind", last.kind}}, seconds(*end - *begin));
    metrics.family("guestd_last_run_clean", "Whether every guest of the last run came out clean.");
    for (const auto& last : runs)
        metrics.sample({{"kind", last.kind}}, flag_of(last.run, "clean") ? 1 : 0);
    metrics.family("guestd_last_run_guests", "Guests of the last run, by outcome.");
    for (const auto& last : runs)
        for (const auto outcome : outcomes_of(last.kind))
            metrics.sample({{"kind", last.kind}, {"outcome", std::string{to_string(outcome)}}},
                           static_cast<double>(std::count_if(
                               last.guests.begin(), last.guests.end(), [&](const Json& guest) {
                                   return text_of(guest, "outcome") == to_string(outcome);
                               })));
    metrics.family("guestd_last_run_start_retries",
                   "Starts in the last boot run that were not the "
                   "first of their guest.");
    for (const auto& last : runs) {
        unsigned retries = 0;
        for (const auto& [key, spent] : last.spent)
            retries += spent.starts > 1 ? spent.starts - 1 : 0;
        if (last.kind == "boot")
            metrics.sample(retries);
    }
}

void add_saves(Metrics& metrics, const std::vector<LastRun>& runs) {
    std::map<std::string, double> bytes;
    std::map<std::string, Duration> time;
    for (const auto& last : runs) {
        for (const auto& guest : last.guests)
            bytes[text_of(guest, "uri")] += number(guest, "bytes");
        for (const auto& [uri, busy] : last.saving)
            time[uri] += busy;
    }
    metrics.family("guestd_last_drain_saved_bytes", "Written by the saves of the last drain.");
    for (const auto& [uri, count] : bytes)
        metrics.sample({{"uri", uri}}, count);
    metrics.family("guestd_last_drain_save_seconds",
                   "Time of the last drain in which a save was under way.");
    for (const auto& [uri, busy] : time)
        metrics.sample({{"uri", uri}}, seconds(busy));
}

void add_guest_times(Metrics& metrics, const std::vector<LastRun>& runs) {
    struct Step {
        const char* what;
        const char* name;
        const char* help;
    };
    constexpr std::array kSteps = {
        Step{"starting", "guestd_guest_start_seconds", "Time that libvirt took to start it."},
        Step{"settling", "guestd_guest_ready_seconds", "Time from there until it was ready."},
        Step{"shutdown", "guestd_guest_shutdown_seconds", "Time of its shutdown step."},
        Step{"save", "guestd_guest_save_seconds", "Time of its save step."},
    };
    for (const auto& [what, name, help] : kSteps) {
        metrics.family(name, std::string{help} + " In the last run of the kind.");
        for (const auto& last : runs)
            for (const auto& guest : last.guests) {
                const auto spent = last.spent.find(guest_key(guest));
                if (spent == last.spent.end() || !spent->second.time.contains(what))
                    continue;
                metrics.sample({{"uri", text_of(guest, "uri")},
                                {"uuid", text_of(guest, "uuid")},
                                {"guest", text_of(guest, "name")}},
                               seconds(spent->second.time.at(what)));
            }
    }
}

std::string all_metrics(Client& client) {
    const Json status = client.call("Status");
    const Json uris = client.call("ListUris");
    const Json guests = client.call("ListGuests", {Strings{}});
    const auto runs = last_runs(client);
    Metrics metrics;
    metrics.family("guestd_up", "Whether guestd answers.");
    metrics.sample(1);
    add_status(metrics, status);
    add_uris(metrics, uris);
    add_guests(metrics, uris, guests);
    add_runs(metrics, runs);
    add_saves(metrics, runs);
    add_guest_times(metrics, runs);
    return metrics.str();
}

/// All there is to say of a guestd that does not answer: a file that keeps its old values would say
/// that all is well.
std::string nothing_but_down() {
    Metrics metrics;
    metrics.family("guestd_up", "Whether guestd answers.");
    metrics.sample(0);
    return metrics.str();
}

int show_metrics(Context& context, const std::string& path) {
    const auto put = [&](const std::string& text) {
        if (path.empty() || path == "-")
            print(text);
        else
            replace_file(path, text);
    };
    try {
        put(all_metrics(context.client()));
    } catch (const Stop& stop) {
        if (stop.status() == kExitNotConnected)
            put(nothing_but_down());
        throw;
    }
    return kExitOk;
}

}  // namespace

void add_metrics(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("metrics", "Print metrics for Prometheus");
    auto path = std::make_shared<std::string>();
    verb->add_option("--textfile", *path,
                     "Replace this file, as node_exporter's textfile collector wants it")
        ->option_text("FILE");
    verb->footer(
        "Examples:\n"
        "  guestctl metrics\n"
        "  guestctl metrics --textfile /var/lib/prometheus/node-exporter/guestd.prom\n"
        "guestd-metrics.timer does the latter every minute. When guestd does not answer, "
        "guestd_up\n"
        "is 0, and the exit status 3.");
    verb->callback([&context, path] {
        context.action = [&context, path] {
            if (context.json)
                throw Stop{kExitUsage,
                           "metrics are OpenMetrics text; status, list and history "
                           "have the same as JSON"};
            return show_metrics(context, *path);
        };
    });
}

}  // namespace guestd::ctl
