// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/transcript.hpp"

#include <cstdio>

namespace guestd::sim {
namespace {

std::string id(const GuestId& guest) {
    const auto& raw = guest.uuid.raw();
    return "[" + std::to_string(static_cast<unsigned>(guest.uri)) + ":" +
           std::to_string((raw[13] * 256 + raw[14]) * 256 + raw[15]) + "]";
}

std::string word(Lifecycle what) {
    constexpr const char* kWords[] = {"defined",   "undefined", "booted",     "restored",
                                      "started",   "suspended", "resumed",    "going down",
                                      "shut down", "saved",     "destroyed",  "crashed",
                                      "migrated",  "stopped",   "pmsuspended"};
    return kWords[static_cast<std::size_t>(what)];
}

std::string word(CallStatus status) {
    constexpr const char* kWords[] = {"done", "refused", "busy", "unfit", "aborted", "unknown"};
    return kWords[static_cast<std::size_t>(status)];
}

std::string text(const InventoryListed& event) {
    std::string line = "listed";
    for (const auto& guest : event.guests)
        line += " " + guest.name + "=" + std::string{to_string(guest.state)} +
                (guest.saving ? "+saving" : "") + (guest.starting ? "+starting" : "") +
                (guest.managed_save ? "+image" : "");
    return line;
}
std::string text(const UriLost& event) {
    return "lost " + event.reason;
}
std::string text(const GuestChanged& event) {
    return id(event.guest) + " " + event.name + " " + word(event.what);
}
std::string text(const AutostartListed& event) {
    return "autostart: " + std::to_string(event.flagged.size()) + " guests";
}
std::string text(const AgentChanged& event) {
    return id(event.guest) + " agent " + (event.connected ? "connected" : "gone");
}
std::string text(const CallReturned& event) {
    return id(event.guest) + " call " + std::to_string(event.id) + " " + word(event.status) + " " +
           event.message +
           (event.observed ? " -> " + std::string{to_string(event.observed->state)} : "");
}
std::string text(const SaveProgressed& event) {
    return id(event.guest) + " saved so far " + std::to_string(event.done.count);
}
std::string text(const SaveWritten& event) {
    return id(event.guest) + " is written";
}
std::string text(const WatchChanged& event) {
    return "watch " + std::to_string(event.id) + (event.holds ? " holds" : " does not") + " " +
           event.text;
}
std::string text(const IoMeasured& event) {
    return "watch " + std::to_string(event.id) + " io " + std::to_string(event.total.count);
}
std::string text(const HostMeasured& event) {
    return "host: io " + std::to_string(event.io.value_or(0)) + ", cpu " +
           std::to_string(event.cpu.value_or(0)) + ", memory " +
           std::to_string(event.memory.value_or(0));
}
std::string text(const RunRequested& event) {
    return "request " + std::string{to_string(event.kind)} + " " +
           std::string{to_string(event.trigger)};
}
std::string text(const CancelRequested&) {
    return "cancel";
}
std::string text(const Stored& event) {
    return "stored " + std::to_string(event.id) + (event.durable ? "" : " FAILED");
}
std::string text(const PolicyReplaced&) {
    return "new policy";
}
std::string text(const TimeElapsed&) {
    return "time";
}

std::string text(const Call& call) {
    return id(call.guest) + " CALL " + std::to_string(call.id) + " " +
           std::string{to_string(call.kind)};
}
std::string text(const AbandonCall& call) {
    return id(call.guest) + " ABANDON " + std::to_string(call.id);
}
std::string text(const ListAutostart&) {
    return "LIST autostart";
}
std::string text(const Watch& watch) {
    return id(watch.guest) + " WATCH " + std::to_string(watch.id);
}
std::string text(const Unwatch& watch) {
    return "UNWATCH " + std::to_string(watch.id);
}
std::string text(const WatchHost& watch) {
    return watch.wanted ? "WATCH host" : "UNWATCH host";
}
std::string text(const StoreRun& store) {
    return "STORE run " + std::to_string(store.run.id) + " with " +
           std::to_string(store.guests.size()) + " guests, " +
           std::to_string(store.entries.size()) + " entries";
}
std::string text(const StoreEntries& store) {
    std::string line = "STORE entries";
    for (const auto& entry : store.entries)
        line += " " + entry.name;
    return line;
}
std::string text(const DropEntry& drop) {
    return "DROP entry " + drop.uuid.str().substr(30);
}
std::string text(const StoreGuest& store) {
    return "STORE guest " + store.guest.name + " " + std::string{to_string(store.guest.outcome)};
}
std::string text(const StoreSpan& store) {
    return "STORE span " + store.span.what;
}
std::string text(const StoreLearned& store) {
    return "STORE learned " + store.key;
}
std::string text(const StoreRunEnd& store) {
    return "STORE end of run " + std::to_string(store.run.id) + " " +
           std::string{to_string(store.run.state)};
}
std::string text(const Notice& notice) {
    return "NOTE " + notice.name + " " + notice.what + " " + notice.text +
           (notice.outcome == Outcome::pending ? ""
                                               : " => " + std::string{to_string(notice.outcome)});
}

std::string text(const std::string& mark) {
    return "==== " + mark;
}
std::string text(const Event& event) {
    return "<- " + std::visit([](const auto& what) { return text(what); }, event);
}
std::string text(const Command& command) {
    return "-> " + std::visit([](const auto& what) { return text(what); }, command);
}

}  // namespace

std::string describe(const Entry& entry) {
    char time[40];
    std::snprintf(time, sizeof time, "%10.3fs ",
                  static_cast<double>(entry.at.time_since_epoch().count()) / 1e6);
    return time + std::visit([](const auto& what) { return text(what); }, entry.what);
}

std::string describe(const Transcript& transcript) {
    std::string lines;
    for (const auto& entry : transcript)
        lines += describe(entry) + "\n";
    return lines;
}

}  // namespace guestd::sim
