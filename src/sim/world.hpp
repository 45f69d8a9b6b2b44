// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Hosts' libvirts and their guests in virtual time, seen by one client at a time.
///
/// Three parties that fail apart from each other, as they do on a host: the *client* (guestd), its
/// *connection*, and the *daemon* (libvirtd). A guest goes on whatever happens to them. When the
/// client dies, what it asked for is still done; when the connection breaks, its calls return
/// `unknown`; when the daemon dies, a save under way is undone at its return; a frozen daemon
/// answers everything late, or never.
///
/// Events may be lost, doubled or late (EventFaults). State that is read is always true.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guestd/commands.hpp"
#include "guestd/events.hpp"
#include "sim/clockwork.hpp"
#include "sim/disk.hpp"
#include "sim/model.hpp"

namespace guestd::sim {

/// What really happened to a guest, whoever was told.
struct Truth {
    GuestState state = GuestState::shutoff;
    bool managed_save = false;
    bool remembered = false;
    unsigned boots = 0;     ///< started from nothing
    unsigned restores = 0;  ///< started from its image
    unsigned kills = 0;     ///< destroyed, or lost with the host
    unsigned clock_sets = 0;
    struct Asked {
        TimePoint at;
        CallKind kind = CallKind::probe;
    };
    std::vector<Asked> asked;       ///< calls that reached libvirt, probes left out
    std::optional<TimePoint> down;  ///< when it went down last
};

class World {
public:
    explicit World(std::uint64_t seed = 1) : dice_(seed) {}
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // Set-up; all of it before the client connects.
    UriId add_uri(UriModel model = {});
    GuestId add_guest(UriId uri, GuestModel model);
    std::vector<std::string> uris() const;

    // Faults, at any time from now on.
    void freeze(UriId uri, TimePoint from, TimePoint to);
    /// libvirtd dies and is back (or not: kNever).
    void kill_daemon(UriId uri, TimePoint from, TimePoint to);
    /// Only the way to it breaks.
    void cut(UriId uri, TimePoint from, TimePoint to);
    /// Only the connections of calls under way on this guest break, now.
    void cut_calls(const GuestId& id);
    void at(TimePoint when, Clockwork::Action action) { clock_.schedule(when, std::move(action)); }

    // What somebody else does to a guest, at once.
    void start_by_hand(const GuestId& id);
    void stop_by_hand(const GuestId& id);
    void undefine(const GuestId& id);
    /// With whatever has been changed in its model.
    void redefine(const GuestId& id) { emit(guest(id), Lifecycle::defined); }
    GuestModel& model(const GuestId& id) { return guest(id).model; }
    /// What no one has named is always there.
    void need(const Need& need, TimePoint from, TimePoint to = kNever);
    /// What the host's sensors say from then on; nothing at first.
    void host_is(TimePoint from, HostMeasured measure);
    /// The host's power fails and comes back: every active guest is lost, images stay.
    void power_cycle();

    // The client.
    void connect_client();
    void client_died();
    void submit(const Call& call);
    void abandon(const AbandonCall& call);
    void list_autostart(UriId uri);
    void watch(const Watch& watch);
    void unwatch(WatchId id) { watches_.erase(id); }
    void watch_host(bool wanted);
    std::vector<Event> take_events() { return std::exchange(inbox_, {}); }
    /// Reaches the client, if there is one.
    void tell(Event event) { inbox_.push_back(std::move(event)); }

    Clockwork& clock() { return clock_; }
    const Truth& truth(const GuestId& id) const { return guests_.at(id).truth; }
    std::vector<GuestId> guests() const;

private:
    struct ServerCall {
        Call call;
        unsigned connection = 0;
        bool ordinary = true;  ///< holds an ordinary worker
        std::uint64_t arrived = 0;
    };
    using Handle = std::shared_ptr<ServerCall>;
    enum class Job { none, save, start, migration };
    struct Guest {
        GuestModel model;
        GuestId id;
        Truth truth;
        unsigned life = 0;  ///< grows with each start and stop
        TimePoint up_at{};
        unsigned image_version = 0;  ///< its disks' when it was saved
        bool listening = false;
        bool agent_connected = false;
        bool half_started = false;  ///< by a libvirt daemon that died meanwhile
        bool stopping = false;
        bool image_paused = false;
        Job job = Job::none;
        Handle job_call;
        GuestState before_job = GuestState::shutoff;
        std::deque<Handle> waiting;  ///< for its job lock
    };
    struct Uri {
        UriModel model;
        Disk disk;
        bool daemon_up = true;
        bool connected = false;
        unsigned daemon = 0;      ///< counts its lives
        unsigned connection = 0;  ///< counts them
        TimePoint frozen_from = kNever;
        TimePoint frozen_to = kNever;
        TimePoint way_back{};  ///< no connection before
        unsigned busy = 0;
        unsigned busy_urgent = 0;
        std::deque<Handle> backlog;         ///< for an ordinary worker
        std::deque<Handle> urgent_backlog;  ///< for any
        std::map<CallId, GuestId> pending;  ///< calls that the client waits for
    };
    Guest& guest(const GuestId& id) { return guests_.at(id); }
    Uri& uri(const GuestId& id) { return *uris_[static_cast<std::size_t>(id.uri)]; }
    Uri& uri(UriId id) { return *uris_[static_cast<std::size_t>(id)]; }

    // world.cpp: connections and events
    bool frozen(const Uri& uri) const;
    /// Work of the daemon: waits while it is frozen, is lost when it dies.
    void as_daemon(UriId uri, Duration delay, Clockwork::Action action);
    void connect(UriId uri);
    void lose(UriId uri, const std::string& reason);
    void emit(Guest& guest, Lifecycle what);
    void deliver(UriId uri, Duration delay, Event event);
    void tell_agent(Guest& guest, bool connected);
    GuestInfo info_of(const Guest& guest) const;
    void daemon_returns(UriId uri);

    // server.cpp: libvirt and its calls
    void arrive(const Handle& call);
    void work(UriId uri);
    static Handle next_to_serve(Uri& uri);
    void carry_out(const Handle& call);
    bool wait_for_job(Guest& guest, const Handle& call);
    void reply(const Handle& call, CallStatus status, std::string message = {}, Bytes bytes = {});
    CallReturned answer(const Handle& call, CallStatus status, std::string message) const;
    void do_agent_call(Guest& guest, const Handle& call);
    void do_start(Guest& guest, const Handle& call);
    void do_agent(Guest& guest, const Handle& call);
    void do_acpi(Guest& guest, const Handle& call);
    void do_save(Guest& guest, const Handle& call);
    void do_abort(Guest& guest, const Handle& call);
    void do_migrate(Guest& guest, const Handle& call);
    void do_destroy(Guest& guest, const Handle& call);
    void do_change(Guest& guest, const Handle& call, GuestState from, Lifecycle what);
    Handle end_job(Guest& guest);
    void wake_waiting(Guest& guest);
    void undo_save(Guest& guest);
    void give_up_start(Guest& guest);
    void tell_progress(const GuestId& id, const Handle& save);

    // guest.cpp: guests by themselves
    void come_up(Guest& guest, Lifecycle how);
    void go_down_in(Guest& guest, Duration time);
    void go_down(Guest& guest);
    void off(Guest& guest, Lifecycle how);

    // sensors.cpp: what the client watches
    bool holds(const Need& need) const;
    TimePoint serves_from(const Guest& guest) const;
    void tell_watch(WatchId id);
    void tell_io(WatchId id);
    void tell_host();
    SavedImage image_of(const Guest& guest) const;

    struct Opening {
        Need need;
        TimePoint from;
        TimePoint to;
    };
    Clockwork clock_;
    Dice dice_;
    std::vector<Opening> needs_;
    std::map<WatchId, Watch> watches_;
    HostMeasured host_;
    bool host_watched_ = false;
    std::vector<std::unique_ptr<Uri>> uris_;
    std::map<GuestId, Guest> guests_;
    std::vector<Event> inbox_;
    bool client_ = false;
    unsigned client_life_ = 0;
    std::uint64_t arrivals_ = 0;
};

}  // namespace guestd::sim
