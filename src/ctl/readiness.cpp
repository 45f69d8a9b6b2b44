// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/readiness.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "config/glob.hpp"
#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"

namespace guestd::ctl {
namespace {

constexpr const char* kNoBootRun = "guestd starts no guest in this boot (safe boot)";

using Key = std::pair<std::string, std::string>;
using Rows = std::map<Key, Json>;

Key key_of(const Json& row) {
    return {text_of(row, "uri"), text_of(row, "uuid")};
}

/// This host boot's boot run.
struct BootRunView {
    enum class Is {
        none,       ///< a safe boot
        under_way,  ///< and the live guests tell
        unsettled,  ///< over or parked, and its record not yet what it will be
        over,
    };
    Is is = Is::none;
    bool finished = false;  ///< not cancelled, nor taken over by a drain
    Rows rows;
};

bool is_host_boot(const Json& run) {
    return text_of(run, "trigger") == "host-boot";
}

std::uint32_t id_of(const Json& run) {
    return static_cast<std::uint32_t>(number_of(run, "run"));
}

bool is_up(const std::string& outcome) {
    return outcome == "started" || outcome == "restored" || outcome == "already-running";
}

/// The newest one in the records, and the boot runs that somebody has asked for since. A soft
/// reboot in between makes it another boot's.
Json recorded_boot_run(const Json& runs, const std::string& boot_id, std::vector<Json>& since) {
    for (const auto& run : runs) {
        if (text_of(run, "boot_id") != boot_id || text_of(run, "trigger") == "soft-reboot")
            break;
        if (is_host_boot(run))
            return run;
        if (text_of(run, "kind") == "boot")
            since.push_back(run);
    }
    return nullptr;
}

/// What failed at boot and was brought up by a later run is up.
void overlay(Client& client, const std::vector<Json>& since, Rows& rows) {
    for (const auto& run : since)
        for (const auto& row : client.call("RunGuests", {id_of(run)}))
            if (is_up(text_of(row, "outcome")) && row.contains("ended_usec"))
                rows[key_of(row)] = row;
}

BootRunView boot_run(Client& client, const Json& status) {
    using Is = BootRunView::Is;
    BootRunView view;
    const Json active = status.value("active_run", Json::object());
    if (is_host_boot(active))
        return {Is::under_way, false, {}};
    const Json last = status.value("last_run", Json::object());
    std::vector<Json> since;
    const Json record = recorded_boot_run(client.call("ListRuns", {std::uint32_t{0}}),
                                          text_of(status, "boot_id"), since);
    if (record.is_null()) {
        view.is = is_host_boot(last) ? Is::unsettled : Is::none;
        return view;
    }
    const std::string state = text_of(record, "state");
    const bool behind = is_host_boot(last) && id_of(last) != id_of(record);
    view.is = state == "active" || behind ? Is::unsettled : Is::over;
    view.finished = state == "finished";
    for (const auto& row : client.call("RunGuests", {id_of(record)}))
        view.rows[key_of(row)] = row;
    overlay(client, since, view.rows);
    return view;
}

bool runs_now(const Json& guest) {
    const std::string state = text_of(guest, "state");
    return state != "shut off" && state != "absent" && state != "crashed";
}

std::string with_cause(const std::string& text, const std::string& cause) {
    return cause.empty() ? text : text + ": " + cause;
}

GuestReadiness named(const Json& guest, Readiness is, std::string cause = {}) {
    return {text_of(guest, "name"), text_of(guest, "uri"), text_of(guest, "uuid"), is,
            std::move(cause)};
}

/// Of a guest that a boot run has dealt with, or that none will.
GuestReadiness settled(const Json& guest, const std::string& outcome, const std::string& cause) {
    if (!outcome.empty() && !is_up(outcome))
        return named(guest, Readiness::failed, with_cause(outcome, cause));
    if (runs_now(guest))
        return named(guest, Readiness::ready);
    return named(guest, Readiness::failed,
                 outcome.empty() ? "the boot run does not start it"
                                 : "it was started, and is " + text_of(guest, "state") + " now");
}

/// The row is that of the boot run, when it has one.
GuestReadiness judge(const Json& guest, bool boots, const BootRunView& run, const Json& row) {
    if (boots && guest.contains("run")) {
        const std::string outcome = text_of(guest, "outcome");
        if (outcome == "pending")
            return named(guest, Readiness::pending,
                         with_cause(text_of(guest, "phase"), guest_detail(guest)));
        return settled(guest, outcome, text_of(guest, "cause"));
    }
    // Without an end a row is not the last word: it came up, and is not known to be ready.
    if (run.is == BootRunView::Is::unsettled && (row.is_null() || !row.contains("ended_usec")))
        return named(guest, Readiness::pending, "its part of the boot run is not over");
    if (run.is == BootRunView::Is::none && !runs_now(guest))
        return named(guest, Readiness::failed, kNoBootRun);
    return settled(guest, text_of(row, "outcome"), text_of(row, "cause"));
}

bool matches(const std::string& glob, const GuestReadiness& guest) {
    return glob == guest.uuid || glob == guest.name || config::glob_matches(glob, guest.name);
}

bool all_connected(Client& client) {
    const Json uris = client.call("ListUris");
    return std::ranges::all_of(uris, [](const Json& uri) { return flag_of(uri, "connected"); });
}

/// Patterns that match no guest: it may be on a URI that does not answer yet.
/// `complete`: every URI had answered before the guests were listed.
void add_unknown(const Strings& globs, bool complete, ReadinessView& view) {
    const auto known = view.guests.size();
    for (const auto& glob : globs) {
        if (std::any_of(view.guests.begin(),
                        view.guests.begin() + static_cast<std::ptrdiff_t>(known),
                        [&](const auto& guest) { return matches(glob, guest); }))
            continue;
        view.look_again = view.look_again || !complete;
        view.guests.push_back({glob, "", "", complete ? Readiness::failed : Readiness::pending,
                               complete ? "there is no such guest"
                                        : "a hypervisor that may have it does not answer"});
    }
}

void look_at_named(Client& client, const Json& status, const Strings& globs, const BootRunView& run,
                   ReadinessView& view) {
    const Json active = status.value("active_run", Json::object());
    const bool complete = all_connected(client);
    for (const auto& guest : client.call("ListGuests", {globs})) {
        const auto row = run.rows.find(key_of(guest));
        const bool boots = text_of(active, "kind") == "boot" &&
                           number_of(guest, "run") == number_of(active, "run");
        view.guests.push_back(
            judge(guest, boots, run, row == run.rows.end() ? Json{} : row->second));
    }
    add_unknown(globs, complete, view);
}

/// Every guest that the run was about. One that it skipped by policy is no business of ours, one
/// that somebody has stopped since no failure.
void look_at_all(const BootRunView& run, ReadinessView& view) {
    for (const auto& [key, row] : run.rows) {
        const std::string outcome = text_of(row, "outcome");
        if (outcome == "skipped" && run.finished)
            continue;
        if (is_up(outcome))
            view.guests.push_back(named(row, Readiness::ready));
        else
            view.guests.push_back(
                named(row, Readiness::failed, with_cause(outcome, text_of(row, "cause"))));
    }
}

void sum_up(ReadinessView& view) {
    const auto has = [&](Readiness is) {
        return std::ranges::any_of(view.guests, [&](const auto& guest) { return guest.is == is; });
    };
    view.all = has(Readiness::pending)  ? Readiness::pending
               : has(Readiness::failed) ? Readiness::failed
                                        : Readiness::ready;
}

}  // namespace

ReadinessView look(Client& client, const Strings& globs) {
    using Is = BootRunView::Is;
    ReadinessView view;
    const Json status = client.call("Status");
    const BootRunView run = boot_run(client, status);
    view.look_again = run.is == Is::unsettled;
    if (!globs.empty()) {
        look_at_named(client, status, globs, run, view);
        sum_up(view);
        return view;
    }
    switch (run.is) {
        case Is::none:
            view.all = Readiness::failed;
            view.cause = kNoBootRun;
            break;
        case Is::under_way:
            view.cause = "the boot run: " + run_counts(status["active_run"]);
            break;
        case Is::unsettled:
            view.cause = "the end of the boot run";
            break;
        case Is::over:
            look_at_all(run, view);
            sum_up(view);
            break;
    }
    return view;
}

}  // namespace guestd::ctl
