// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A boot run: the resume list, the autostart guests and those of `start.policy = "always"` come
/// up, in order, no faster than the host takes them.
///
/// A guest's way: *waiting* for those that it starts after, or for a place (throttle.hpp); *held*
/// by something outside guestd and libvirt's wait list, which may never end (gates.hpp, a missing
/// disk, a lock, a definition that is wrong); *starting*; *settling* until it is ready
/// (probes.hpp); over.
///
/// A guest counts against `max_parallel` from the start call until it is ready. An entry leaves the
/// resume list when its guest is confirmed running, and for no other reason but an administrator's
/// policy; an event alone confirms nothing. A URI's part begins when it answers, however late; its
/// guests are recorded in one transaction before the first of them is started. libvirt tells of no
/// autostart flag that changes, so a run that goes by the flags and finds a URI listed long ago
/// asks for them first; one that gets no answer goes by what is known.
///
/// After a cancelled drain the run brings back exactly the guests that the drain touched; one that
/// was asked to go down and is still up is *watched* for a while.

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/agenda.hpp"
#include "core/context.hpp"
#include "core/gates.hpp"
#include "core/order.hpp"
#include "core/probes.hpp"
#include "core/throttle.hpp"

namespace guestd::core {

/// Keys of Learned: URI, a blank and the UUID follow. Seconds from the start call until ready.
inline const std::string kLearnedReady = "boot.ready:";
/// For the autostart flags, which take milliseconds to read where libvirt answers at all. Somebody
/// sits and waits: this is only asked for runs by hand.
inline constexpr Duration kFlagsPatience = 2s;
/// After a call of unknown result though libvirt answers.
inline constexpr Duration kUnknownRetry = 1s;

struct BootTask : Task {
    enum class Stage { waiting, held, starting, overdue, settling, resting, watched, over };
    StartPolicy policy;
    int priority = 0;
    Bytes memory{};
    bool was_paused = false;
    bool had_image = false;       ///< a managed save image was there when it was started
    bool expect_restore = false;  ///< the resume list says so
    bool was_up = false;          ///< an earlier life of guestd saw it come up
    bool force_boot = false;      ///< its image is set aside
    std::string cold_cause;       ///< why it boots though it had been saved
    bool stopped_again = false;   ///< before it was ready
    bool locked = false;          ///< held by the lock on its disk
    std::string unfit;            ///< held by what is wrong with its definition
    std::string waited_for;       ///< for the history
    std::string told_held;        ///< in the journal, once
    Stage stage = Stage::waiting;
    CallId call = 0;
    CallId look = 0;        ///< a reading of its state
    unsigned failures = 0;  ///< starts that libvirt refused
    TimePoint next_try{};
    TimePoint called{};    ///< its start, the last time
    TimePoint up_since{};  ///< the start call had returned
    ProbeSet probes;
    TimePoint ready_by = kNever;
    std::vector<GuestId> starts_after;
    unsigned missing = 0;   ///< guests that it starts after and that are not ready
    std::string dead_need;  ///< a failed one that it requires
    struct Dependent {
        GuestId id;
        bool hard = false;
    };
    std::vector<Dependent> dependents;
};

class BootRun {
public:
    /// `only`: exactly these guests, when not empty (a cancelled drain brings back what it
    /// touched).
    BootRun(RunRecord record, std::vector<GuestId> only);
    /// A run that an earlier life of guestd began in this boot, with the guests it had recorded.
    BootRun(RunRecord record, const std::vector<RunGuestRecord>& recorded);

    void begin(Context& ctx);
    void handle(Context& ctx, const Event& event);
    void advance(Context& ctx);
    /// A drain takes over, or somebody cancels: no further start; the rest of the list is kept.
    void stop(Context& ctx, RunState state, const std::string& why);
    /// Guests, with their names, that it has not brought up yet.
    std::map<GuestId, std::string> unfinished(const Context& ctx) const;

    bool over() const { return record_.state != RunState::active; }
    /// The guest's way through the run is not over: its entry is this run's business.
    bool minds(const GuestId& id) const;
    /// Nothing is under way: it only waits for URIs that do not answer, and for what holds guests.
    bool idle() const;
    /// While another run has its turn: what changes outside is noted.
    void keep_up(const Event& event);
    /// The other run is over.
    void go_on(Context& ctx);
    TimePoint next_deadline() const;
    const RunRecord& record() const { return record_; }
    RunProgress progress() const;
    std::vector<GuestProgress> guests() const;

private:
    struct Uri {
        bool seeded = false;
        TimePoint flags_by = kNever;  ///< its autostart flags are being read; until then at most
        Throttle throttle;
        TimePoint wake_up = kNever;  ///< when `held` may be over though nothing happens
        std::string held;            ///< why no further guest starts
        std::string last_held;       ///< for the history
        bool held_by_host = false;   ///< its pressure, or memory
        bool told_held = false;      ///< of this stretch
        std::set<std::tuple<long, std::uint64_t, GuestId>> ready;
    };
    using Stage = BootTask::Stage;
    using Key = std::pair<std::string, Uuid>;

    // boot_seed.cpp: who starts
    void seed(Context& ctx, UriId uri);
    const RunGuestRecord* recorded(const Context& ctx, const GuestId& id) const;
    bool chosen(const Context& ctx, const Guest& guest, const StartPolicy& policy,
                const ResumeEntry* entry) const;
    void consider(Context& ctx, const Guest& guest, std::vector<GuestId>& ids,
                  std::vector<OrderNode>& nodes);
    bool settled_at_once(Context& ctx, BootTask& task, const Guest& guest,
                         const ResumeEntry* entry);
    bool take_up(Context& ctx, BootTask& task, const RunGuestRecord& row, bool active);
    BootTask& add(Context& ctx, const GuestId& id, std::string name);
    void settle_entry_without_guest(Context& ctx, UriId uri, const ResumeEntry& entry);
    void settle_recorded_without_guest(Context& ctx, UriId uri);
    void store_rows(Context& ctx, UriId uri);
    RunGuestRecord row_of(const Context& ctx, const BootTask& task) const;
    static void join(BootTask& need, BootTask& next, bool hard);
    void arrange(Context& ctx, const std::vector<GuestId>& ids,
                 const std::vector<OrderNode>& nodes);

    // boot_run.cpp: the run
    bool goes_by_flags() const;
    void ask_for_flags(Context& ctx, UriId uri);
    void end_wait_for_flags(Context& ctx, UriId uri);
    void on_listed(Context& ctx, UriId uri);
    void on_changed(Context& ctx, const GuestChanged& event);
    void on_returned(Context& ctx, const CallReturned& event);
    void make_ready(Context& ctx, BootTask& task);
    void fill(Context& ctx, UriId uri);
    BootTask* next_that_fits(Uri& uri);
    void tell_held(Context& ctx, UriId uri);
    void look_after(Context& ctx, BootTask& task);
    void look_again_at_unfit(Context& ctx, BootTask& task);
    std::string names_of_missing(const BootTask& task) const;
    BootTask* probing(const Context& ctx, WatchId watch);
    static bool not_started(const BootTask& task);
    void measure_host(Context& ctx);
    void retry_locked(Context& ctx, UriId uri);
    void finish_if_done(Context& ctx);
    Uri& uri_of(const BootTask& task) { return uris_[static_cast<std::size_t>(task.id.uri)]; }

    // boot_guest.cpp: one guest on its way up
    void start(Context& ctx, BootTask& task);
    void call_start(Context& ctx, BootTask& task);
    void hold(Context& ctx, BootTask& task, std::string held_for);
    void unhold(Context& ctx, BootTask& task);
    void redefined(Context& ctx, BootTask& task);
    Duration start_time(const BootTask& task);
    static void forget(Context& ctx, const GuestId& id);
    void start_overdue(Context& ctx, BootTask& task);
    void came_up(Context& ctx, BootTask& task);
    void check_ready(Context& ctx, BootTask& task);
    bool is_ready(Context& ctx, BootTask& task, TimePoint& look_again);
    void now_ready(Context& ctx, BootTask& task, bool ready);
    void start_failed(Context& ctx, BootTask& task, const CallReturned& event);
    void wait_for_disks(Context& ctx, BootTask& task, const std::vector<std::string>& missing,
                        const std::string& why);
    void note_error(Context& ctx, const BootTask& task, const std::string& why);
    void rest(Context& ctx, BootTask& task, Duration time, std::string held_for);
    void watch(Context& ctx, BootTask& task);
    void look(Context& ctx, BootTask& task);
    void seen_down(Context& ctx, BootTask& task);
    void finish(Context& ctx, BootTask& task, Outcome outcome, std::string cause);
    void leave_stage(BootTask& task, bool ready = false);
    static std::tuple<long, std::uint64_t, GuestId> key(const BootTask& task);

    // boot_image.cpp: what it is restored from
    void image_seen(Context& ctx, BootTask& task, const CallReturned& event);
    bool stopped_by_image(Context& ctx, BootTask& task, const SavedImage& image);
    bool out_of_tries(Context& ctx, BootTask& task, const std::string& why);

    RunRecord record_;
    Selection selection_;
    std::set<GuestId> only_;
    bool continued_ = false;
    std::map<Key, RunGuestRecord> recorded_;
    std::set<std::string> recorded_uris_;
    std::vector<Uri> uris_;
    std::map<GuestId, BootTask> tasks_;
    std::size_t pending_ = 0;
    Agenda<GuestId> agenda_;
    Gates gates_;
    bool measuring_ = false;  ///< the host is
    std::vector<std::string> silent_;
};

}  // namespace guestd::core
