// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the bus can ask of the daemon.
///
/// The bus code knows messages, the daemon knows guests; they meet in `Facade`. Views are plain
/// snapshots, copied out, and hold raw names: whoever shows them escapes them. Everything here
/// happens on the loop's thread. No member may block or throw.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guestd/error.hpp"
#include "guestd/records.hpp"
#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::bus {

/// Guests that a progress report names: more lines than a terminal has help nobody, and the signal
/// goes out up to five times a second.
inline constexpr std::size_t kProgressGuests = 32;

struct GuestView {
    std::string uri;
    Uuid uuid;
    std::string name;
    GuestState state = GuestState::absent;
    bool persistent = true;
    bool autostart = false;
    bool managed_save = false;
    bool has_agent = false;  ///< a channel for one
    Bytes memory{};          ///< largest it may have; 0 = unknown
    // The rest is about the active run; `run` = 0: the guest has no part in one.
    RunId run = 0;
    std::string phase;                       ///< word of SpanRecord::what; "" = none yet, or done
    std::optional<TimePoint> since;          ///< begin of the phase
    std::optional<TimePoint> step_deadline;  ///< when the next step follows
    unsigned attempts = 0;                   ///< calls made for this phase
    std::string held_for;                    ///< "" = not held
    std::string answer;                      ///< to a shutdown: "silent, asked 3 times"
    Bytes bytes_done{};                      ///< of a save
    Bytes bytes_total{};                     ///< 0 = unknown
    Outcome outcome = Outcome::pending;
    std::string cause;
};

/// Bytes that the metadata in one answer may have together: eight guests with all that is read of
/// one (64 KiB), or a thousand with 500 bytes each. Whoever wants more asks for some at a time.
inline constexpr std::size_t kMostMetadata = std::size_t{512} * 1024;

/// A guest's own policy, as its definition has it.
struct MetadataView {
    std::string uri;
    Uuid uuid;
    std::string metadata;  ///< XML
};

struct UriView {
    std::string uri;
    bool connected = false;
    std::optional<TimePoint> since;  ///< connected, or trying, since
    std::string reason;              ///< why not connected
    unsigned attempts = 0;           ///< to connect, since it was lost
    unsigned guests = 0;
    unsigned running = 0;
};

struct RunView {
    RunRecord record;
    unsigned guests = 0;
    unsigned done = 0;     ///< have an outcome
    unsigned unclean = 0;  ///< of those: not a clean one
};

/// Of the status, what changes seldom and is told at once. Cheap: asked for after every event.
struct Vitals {
    std::string degraded;  ///< "" = not
    RunId active_run = 0;  ///< 0 = none
    bool operator==(const Vitals&) const = default;
};

struct StatusView {
    std::string version;
    std::string degraded;  ///< "" = not
    std::string boot_id;
    TimePoint now{};  ///< so that a client need not know our clock
    std::optional<RunView> active_run;
    std::optional<RunView> last_run;  ///< newest that has ended
    unsigned guests = 0;
    unsigned running = 0;
    unsigned resume_entries = 0;
    std::vector<std::string> config_files;  ///< in the order they were read
    std::vector<std::string> warnings;      ///< "libvirt-guests is enabled too"
};

/// The active run in short, with the guests that are being worked on.
struct ProgressView {
    RunView run;
    TimePoint now{};
    Bytes bytes_done{};  ///< of all saves of the run
    Bytes bytes_total{};
    std::vector<GuestView> active;  ///< longest in their phase first; at most kProgressGuests
    unsigned active_total = 0;
};

/// One effective setting and the place it comes from.
struct SettingView {
    std::string key;     ///< "shutdown.stop"
    std::string value;   ///< as the configuration would spell it
    std::string origin;  ///< "/etc/guestd/guestd.toml:12", "built-in", "metadata"
};

struct BootRequest {
    std::vector<std::string> selection;  ///< globs over names; empty = all
    bool skip = false;                   ///< end the boot run that is under way; 0 = there is none
};

struct DrainRequest {
    std::vector<std::string> selection;
    Trigger trigger = Trigger::manual;
    std::optional<Duration> deadline;  ///< from now
};

/// Receives the answer of a question that needs the disk: exactly once, on the loop's thread,
/// during the call or later. Dropping it unanswered answers with an internal error.
template <class T>
using Reply = std::function<void(Result<T>)>;

class Facade {
public:
    virtual ~Facade() = default;

    virtual StatusView status() const = 0;
    virtual Vitals vitals() const {
        const auto all = status();
        return {all.degraded, all.active_run ? all.active_run->record.id : 0};
    }
    /// Those that take a look at every guest: for whoever asks, not with each event.
    virtual void add_warnings(StatusView& /*view*/) const {}
    /// Nothing while no run is active.
    virtual std::optional<ProgressView> progress() const = 0;
    /// Guests whose name matches any of the globs, or whose UUID is one; all when there are none.
    virtual std::vector<GuestView> guests(const std::vector<std::string>& globs) const = 0;
    /// Of those guests, chosen as for guests(), the ones that have any. Fails above kMostMetadata.
    virtual Result<std::vector<MetadataView>> metadata(
        const std::vector<std::string>& globs) const = 0;
    virtual std::vector<UriView> uris() const = 0;
    virtual std::vector<ResumeEntry> resume_list() const = 0;

    /// Newest first.
    virtual void runs(unsigned limit, Reply<std::vector<RunView>> reply) = 0;
    virtual void run_guests(RunId run, Reply<std::vector<RunGuestRecord>> reply) = 0;
    virtual void run_spans(RunId run, Reply<std::vector<SpanRecord>> reply) = 0;

    /// `guest` is a name or UUID ("" = the defaults); `trigger` empty = outside a drain.
    virtual Result<std::vector<SettingView>> explain(const std::string& guest,
                                                     std::optional<Trigger> trigger) const = 0;

    // Commands: the caller has been authorised. The id is that of the run that was started.
    virtual Result<RunId> boot(const BootRequest& request) = 0;
    virtual Result<RunId> drain(const DrainRequest& request) = 0;
    /// `run` 0 = whichever is active. False: there was none to cancel.
    virtual Result<bool> cancel(RunId run) = 0;
    /// False: the guest is up, or on the resume list already.
    virtual Result<bool> remember(const std::string& uri, const Uuid& uuid) = 0;
    /// False: there is no such entry in the resume list.
    virtual Result<bool> forget(const std::string& uri, const Uuid& uuid) = 0;
    /// Fails with the configuration's error, and the old one stays.
    virtual Result<void> reload() = 0;

    /// logind is about to take the host down, in a way that it names ("poweroff", "reboot", …), or
    /// is not any more. It waits for whoever holds a delay lock first.
    virtual void host_prepares(bool down, const std::string& way) = 0;
};

}  // namespace guestd::bus
