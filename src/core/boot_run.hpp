// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A boot run: the resume list, the autostart guests and those of `start.policy = "always"` come
/// up, in order, no faster than the host takes them.
///
/// A guest counts against `max_parallel` from the start call until it is ready. An entry leaves the
/// resume list when its guest is confirmed running, and for no other reason but an administrator's
/// policy; an event alone confirms nothing. A URI's part begins when it answers, however late; its
/// guests are recorded in one transaction before the first of them is started.
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
#include "core/order.hpp"

namespace guestd::core {

struct BootTask : Task {
    enum class Stage { waiting, starting, overdue, settling, resting, watched, over };
    StartPolicy policy;
    int priority = 0;
    Bytes memory{};
    bool was_paused = false;
    bool had_image = false;       ///< a managed save image was there when it was started
    bool expect_restore = false;  ///< the resume list says so
    bool was_up = false;          ///< an earlier life of guestd saw it come up
    Stage stage = Stage::waiting;
    CallId call = 0;
    CallId look = 0;        ///< a reading of its state
    unsigned failures = 0;  ///< starts that libvirt refused
    TimePoint next_try{};
    TimePoint up_since{};  ///< the start call had returned
    TimePoint ready_by = kNever;
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
    BootRun(RunRecord record, std::vector<RunGuestRecord> recorded);

    void begin(Context& ctx);
    void handle(Context& ctx, const Event& event);
    void advance(Context& ctx);
    /// A drain takes over, or somebody cancels: no further start; the rest of the list is kept.
    void stop(Context& ctx, RunState state, const std::string& why);

    bool over() const { return record_.state != RunState::active; }
    /// The guest's way through the run is not over: its entry is this run's business.
    bool minds(const GuestId& id) const;
    /// Every guest that it knows of is dealt with: it only waits for URIs that do not answer.
    bool idle() const { return pending_ == 0; }
    /// Another run has come and gone meanwhile, while this one was idle.
    void go_on(Context& ctx);
    TimePoint next_deadline() const;
    const RunRecord& record() const { return record_; }
    RunProgress progress() const;
    std::vector<GuestProgress> guests() const;

private:
    struct Uri {
        bool seeded = false;
        UriPolicy policy;
        unsigned active = 0;         ///< starting or settling
        TimePoint next_start{};      ///< start_delay after the last one
        TimePoint wake_up = kNever;  ///< when a free place waits for `next_start` only
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
    void store_rows(Context& ctx);
    RunGuestRecord row_of(const Context& ctx, const BootTask& task) const;
    void arrange(Context& ctx, const std::vector<GuestId>& ids,
                 const std::vector<OrderNode>& nodes);

    // boot_run.cpp: the run
    void on_listed(Context& ctx, UriId uri);
    void on_changed(Context& ctx, const GuestChanged& event);
    void on_returned(Context& ctx, const CallReturned& event);
    void make_ready(Context& ctx, BootTask& task);
    void fill(Context& ctx, UriId uri);
    void finish_if_done(Context& ctx);
    Uri& uri_of(const BootTask& task) { return uris_[static_cast<std::size_t>(task.id.uri)]; }

    // boot_guest.cpp: one guest on its way up
    void start(Context& ctx, BootTask& task);
    Duration start_time(const BootTask& task);
    static void forget(Context& ctx, const GuestId& id);
    void start_overdue(Context& ctx, BootTask& task);
    void came_up(Context& ctx, BootTask& task);
    void check_ready(Context& ctx, BootTask& task);
    bool is_ready(const Context& ctx, const BootTask& task, TimePoint& look_again) const;
    void start_failed(Context& ctx, BootTask& task, const CallReturned& event);
    void rest(Context& ctx, BootTask& task, Duration time, std::string held_for);
    void watch(Context& ctx, BootTask& task);
    void look(Context& ctx, BootTask& task);
    void seen_down(Context& ctx, BootTask& task);
    void finish(Context& ctx, BootTask& task, Outcome outcome, std::string cause);
    void leave_stage(BootTask& task);
    static std::tuple<long, std::uint64_t, GuestId> key(const BootTask& task);

    RunRecord record_;
    std::set<GuestId> only_;
    bool continued_ = false;
    std::map<Key, RunGuestRecord> recorded_;
    std::set<std::string> recorded_uris_;
    std::vector<Uri> uris_;
    std::map<GuestId, BootTask> tasks_;
    std::size_t pending_ = 0;
    Agenda<GuestId> agenda_;
    std::vector<std::string> silent_;
};

}  // namespace guestd::core
