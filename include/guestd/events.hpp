// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the core is told. Past participles; plain values; never a handle.
///
/// libvirt's events are hints: they may be missing, doubled or late. What decides is state that was
/// read (`InventoryListed`, `CallReturned::observed`).

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "guestd/policy.hpp"
#include "guestd/records.hpp"
#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd {

/// Number of a call to libvirt, unique for the life of the process; 0 = none.
using CallId = std::uint64_t;
/// Number of a write to the store, unique for the life of the process; 0 = nobody waits.
using StoreId = std::uint64_t;

/// A job that somebody has on a guest, and that a stop would cut off.
enum class GuestJob {
    none,
    save,
    backup,
    migration,  ///< to elsewhere
    block,      ///< block copy, commit, pull: of one of its disks
    other,
};
std::string_view to_string(GuestJob job);

/// One domain as a listing shows it.
struct GuestInfo {
    Uuid uuid;
    std::string name;
    GuestState state = GuestState::shutoff;
    bool persistent = true;
    bool autostart = false;
    bool managed_save = false;
    bool agent_channel = false;  ///< has a guest agent channel
    bool agent_connected = false;
    /// Marked in libvirt itself as one to be brought back (`CallKind::remember`).
    bool remembered = false;
    bool saving = false;  ///< a save job, ours of an earlier life or anybody's, is running
    /// libvirt has begun to start it, and has not told that it is up. Its daemon may have died
    /// since: the next one kills such a guest.
    bool starting = false;
    Bytes memory{};        ///< largest it may have; 0 = unknown
    std::string metadata;  ///< content of our metadata element
};

/// Active, and not only on its way up: whoever is to bring it back has done so.
inline bool is_up(const GuestInfo& guest) {
    return is_active(guest.state) && !guest.starting;
}

/// The URI answers, events are registered, and this is everything on it. After every (re)connect.
struct InventoryListed {
    UriId uri{};
    std::vector<GuestInfo> guests;
    unsigned long_calls = 15;  ///< long calls that libvirt serves at once and still can abort
};

/// The connection is gone; every call under way on the URI returns as `unknown` on its own.
struct UriLost {
    UriId uri{};
    std::string reason;
};

enum class Lifecycle {
    defined,
    undefined,
    booted,    ///< started from nothing
    restored,  ///< started from a saved image
    started,   ///< in any other way: migrated here, from a snapshot, woken up
    suspended,
    resumed,
    shutting_down,
    shut_down,  ///< stopped: the guest itself went down
    saved,      ///< stopped: its memory is in an image
    destroyed,  ///< stopped by force
    crashed,
    migrated,  ///< stopped: it runs elsewhere
    stopped,   ///< stopped in any other way
    pmsuspended,
};

constexpr bool is_start(Lifecycle what) {
    return what == Lifecycle::booted || what == Lifecycle::restored || what == Lifecycle::started;
}

constexpr bool is_stop(Lifecycle what) {
    switch (what) {
        case Lifecycle::shut_down:
        case Lifecycle::saved:
        case Lifecycle::destroyed:
        case Lifecycle::crashed:
        case Lifecycle::migrated:
        case Lifecycle::stopped:
            return true;
        case Lifecycle::defined:
        case Lifecycle::undefined:
        case Lifecycle::booted:
        case Lifecycle::restored:
        case Lifecycle::started:
        case Lifecycle::suspended:
        case Lifecycle::resumed:
        case Lifecycle::shutting_down:
        case Lifecycle::pmsuspended:
            break;
    }
    return false;
}

/// A lifecycle event of libvirt. The name is set for `defined` and the starts.
struct GuestChanged {
    GuestId guest;
    Lifecycle what = Lifecycle::defined;
    std::string name;
    bool persistent = true;
};

/// The guests of this URI that are flagged with autostart, and no others are. libvirt has no event
/// for a flag: this comes when one was found to be other than it was known to be, and to answer
/// each `ListAutostart` (with what was known, where the flags cannot be read).
struct AutostartListed {
    UriId uri{};
    std::vector<Uuid> flagged;  ///< in no order
    bool answers = false;       ///< a `ListAutostart`: read after it came
};

struct AgentChanged {
    GuestId guest;
    bool connected = false;
};

/// How a call came out. `done`: libvirt says it did it. `refused`: it says no, or failed.
/// `busy`: the guest's disk lock belongs to somebody else (VIR_ERR_RESOURCE_BUSY). `unfit`: a start
/// that no further try will bring, as the guest's definition is what is wrong. `aborted`: by our
/// own abort. `unknown`: the connection broke or the call was abandoned; anything may be.
enum class CallStatus { done, refused, busy, unfit, aborted, unknown };

/// A managed save image, as it lies there. All of it is empty where libvirt is on another host, or
/// keeps its images where they cannot be read.
struct SavedImage {
    /// Its header says that the save was not brought to its end: libvirt drops it and boots.
    bool partial = false;
    /// The guest's disks and the image itself: paths, sizes, times of change. Equal to what it was
    /// after the save, unless somebody has written to one of them since. "" = cannot be told.
    std::string identity;
    /// Where the persistent definition says something else than the image: "memory: 2 GiB in the
    /// image, 4 GiB in the definition". What is only reordered or filled in does not count. Told by
    /// `inspect_image` only, not after a save.
    std::vector<std::string> differences;
};

struct CallReturned {
    CallId id = 0;
    GuestId guest;
    CallStatus status = CallStatus::done;
    std::string message;  ///< libvirt's words, for people; never matched
    /// State re-read after the call, whatever its status; empty when it could not be read.
    std::optional<GuestInfo> observed;
    Bytes bytes{};                  ///< written by a save, where the driver tells
    GuestJob job = GuestJob::none;  ///< what an `inspect` found
    /// Of a start that failed, or an image: paths of its disks that are not there, on this host.
    std::vector<std::string> missing{};
    std::string address{};              ///< what `find_address` found; "" = none yet
    std::optional<SavedImage> image{};  ///< what `inspect_image` found, or a save has left
};

/// Progress of a save, from job statistics; at most one per guest and second.
struct SaveProgressed {
    GuestId guest;
    Bytes done;        ///< of `total`, dealt with: written, or found to be empty
    Bytes total;       ///< the guest's memory
    Bytes written{};   ///< to the image so far
    Bytes expected{};  ///< of the image at most: what the guest has touched; 0 = unknown
    TimePoint at{};    ///< when it was read; events may be taken in long after
};

/// QEMU has handed over all of a guest that is being saved; libvirt has still to wait for the disk
/// and for QEMU's end, and the save may still fail. Not told by every driver.
struct SaveWritten {
    GuestId guest;
};

/// Number of a watch, unique for the life of the process; 0 = none.
using WatchId = std::uint64_t;

/// What a `Watch` is about holds, or does so no longer. Told once as soon as it is known, then at
/// each change.
struct WatchChanged {
    WatchId id = 0;
    bool holds = false;
    std::string text;  ///< why not, for people: "connection refused"; "" = nothing to add
};

/// Block I/O of a guest whose readiness is `io-settle`, about once a second.
struct IoMeasured {
    WatchId id = 0;
    Bytes total;           ///< read and written since it was started
    bool measured = true;  ///< false: its driver has no such figures, and never will
    TimePoint at{};        ///< when it was read
    /// Since the first reading, it was kept from running, as the host had no processor for it; zero
    /// where the driver does not tell.
    Duration waited{};
};

/// How the host is, while somebody wants to know (`WatchHost`).
struct HostMeasured {
    /// PSI "some avg10", percent; empty = the kernel does not tell.
    std::optional<double> io, cpu, memory;
    std::optional<Bytes> available;  ///< MemAvailable
};

struct RunRequested {
    RunKind kind = RunKind::boot;
    Trigger trigger = Trigger::manual;
    std::optional<Duration> deadline;    ///< overrides every URI's
    std::vector<std::string> selection;  ///< globs over names; empty = all
};

/// Of a drain, also of the last one that is over: what it took down is brought back.
struct CancelRequested {
    RunId run = 0;  ///< 0 = whichever is active
};

/// A write with an id has become durable, or could not.
struct Stored {
    StoreId id = 0;
    bool durable = true;
    std::string message;
};

struct PolicyReplaced {
    std::shared_ptr<const PolicySource> policy;
};

/// Nothing happened but time.
struct TimeElapsed {};

using Event =
    std::variant<InventoryListed, UriLost, GuestChanged, AutostartListed, AgentChanged,
                 CallReturned, SaveProgressed, SaveWritten, WatchChanged, IoMeasured, HostMeasured,
                 RunRequested, CancelRequested, Stored, PolicyReplaced, TimeElapsed>;

}  // namespace guestd
