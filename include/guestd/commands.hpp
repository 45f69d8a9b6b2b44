// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the core wants done. Executed in order; results come back as events.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "guestd/events.hpp"
#include "guestd/records.hpp"

namespace guestd {

enum class CallKind {
    start,             ///< virDomainCreateWithFlags: boot or restore
    shutdown_auto,     ///< agent when connected, else ACPI
    shutdown_agent,    ///< may block for 60 s in libvirt
    shutdown_acpi,     ///< returns when the button is pressed
    save,              ///< virDomainManagedSave
    destroy_graceful,  ///< SIGTERM to QEMU; EBUSY after 15 s
    destroy_forced,
    resume,
    suspend,
    wake,         ///< out of S3
    abort_job,    ///< a save under way, or somebody's backup or migration
    abort_block,  ///< every block job on its disks
    probe,        ///< re-read the state, nothing else; never waits for a job
    /// Look for a job of somebody else: `CallReturned::job`. May wait 30 s for a guest that is
    /// stuck; refused where the driver knows no jobs.
    inspect,
    /// The guest's clock, through its agent, to the host's time; done = it has been read back, and
    /// is right. Bounded, however dead the agent is.
    set_time,
    ping_agent,     ///< done = its agent answers. Bounded likewise
    find_address,   ///< `CallReturned::address`: from leases, the agent, or the ARP table
    inspect_image,  ///< `CallReturned::image`: what a restore would start from
    migrate,        ///< live, peer to peer, to `Call::target`; the definition goes along
    /// Mark the guest in libvirt itself as one to be brought back: autostart-once where libvirt has
    /// it (11.2), else metadata. For when our own list cannot be written.
    remember,
    forget,  ///< takes that mark away
};
std::string_view to_string(CallKind kind);

/// Long calls occupy one of libvirt's ordinary workers for as long as they take; the others are
/// served by its priority workers or return at once, and must get through while saves are running.
constexpr bool is_long(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::save:
        case CallKind::inspect_image:  // and the place of the start that follows it
        case CallKind::migrate:
            return true;
        case CallKind::shutdown_acpi:
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::probe:
        case CallKind::inspect:
        case CallKind::set_time:
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::remember:
        case CallKind::forget:
            return false;
    }
    return true;
}

/// Submit a call to libvirt. Exactly one `CallReturned` with this id follows, unless the call is
/// abandoned first.
struct Call {
    CallId id = 0;
    GuestId guest;
    CallKind kind = CallKind::probe;
    bool bypass_cache = false;  ///< start, save
    /// destroy: a save was under way; what there is of its image is worth nothing
    bool discard_image = false;
    /// start: from nothing, whatever image there is. It is set aside where that can be done, else
    /// dropped.
    bool force_boot = false;
    /// save: the state that a later start returns to; empty = the state it is in now
    std::optional<GuestState> save_as;
    std::string target;  ///< migrate: the destination's URI
};

/// The core no longer waits for this call: its thread and connection are given up, and replaced
/// where more calls are queued. A result that arrives all the same is dropped.
struct AbandonCall {
    CallId id = 0;
    GuestId guest;
};

/// Read which guests of the URI are flagged with autostart: `AutostartListed` follows, unless the
/// connection breaks, or libvirt does not answer.
struct ListAutostart {
    UriId uri{};
};

/// Tell, with WatchChanged (io-settle: IoMeasured), whether this holds, until Unwatch. Kept up by
/// the adapters whatever happens to connections.
struct Watch {
    WatchId id = 0;
    GuestId guest;                   ///< whose; a need of several guests is watched once
    std::string name;                ///< of the guest
    std::variant<Need, Probe> what;  ///< a probe of kind tcp (with a host), exec, or io_settle
    std::string uri{};               ///< of the guest, as text: programs are told it
};
struct Unwatch {
    WatchId id = 0;
};
/// Whether HostMeasured is wanted: then at once, each time something changes, and every second.
struct WatchHost {
    bool wanted = false;
};

/// Begin a run, or go on with it, with guests and, for a drain, their resume entries: one
/// transaction. What is stored of other guests stays.
struct StoreRun {
    StoreId id = 0;
    RunRecord run;
    std::vector<RunGuestRecord> guests;
    std::vector<ResumeEntry> entries;
};
/// Insert or replace single entries.
struct StoreEntries {
    StoreId id = 0;
    std::vector<ResumeEntry> entries;
};
struct DropEntry {
    std::string uri;
    Uuid uuid;
};
struct StoreGuest {
    RunGuestRecord guest;
};
struct StoreSpan {
    SpanRecord span;
};
/// A number that the next run can make use of, under a name; replaces what it was.
struct StoreLearned {
    std::string key;
    double value = 0;
};
/// Update state, end and result of a run.
struct StoreRunEnd {
    StoreId id = 0;
    RunRecord run;
};

/// Something people or programs may want to know: the daemon turns it into a journal line with
/// fields, and a bus signal. The core never logs.
enum class NoticeKind {
    run_started,
    run_ended,
    step_started,  ///< a guest's next step: `what` names it
    guest_done,    ///< `outcome`, `text` = cause
    guest_retrying,
    guest_held,         ///< `text` = for what
    starts_held,        ///< the host has no room for the next start on `uri`
    intent_not_stored,  ///< the resume list could not be made durable
    uri_unreachable,
    remark,  ///< worth a line, of no kind of its own
};
struct Notice {
    NoticeKind kind = NoticeKind::remark;
    RunId run = 0;
    std::optional<GuestId> guest;
    std::optional<UriId> uri;  ///< what is about none of its guests, or all
    std::string name;          ///< guest name, unescaped
    std::string what;
    Outcome outcome = Outcome::pending;
    std::string text;
    bool warning = false;
};

using Command =
    std::variant<Call, AbandonCall, ListAutostart, Watch, Unwatch, WatchHost, StoreRun,
                 StoreEntries, DropEntry, StoreGuest, StoreSpan, StoreLearned, StoreRunEnd, Notice>;
using Outbox = std::vector<Command>;

}  // namespace guestd
