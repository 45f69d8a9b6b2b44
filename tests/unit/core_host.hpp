// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A simulated host for tests: one World, one Store, one policy, one guestd. Names in tests are
/// guests' names; everything a test does not mention is healthy.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/driver.hpp"
#include "sim/policy.hpp"

namespace guestd::testing {

using sim::GuestModel;

/// Longer than any deadline of a test.
inline constexpr Duration kForever = 2h;

class Host {
public:
    explicit Host(sim::UriModel model = {}, std::uint64_t seed = 1);

    // Before start().
    sim::World world;
    sim::Store store{world.clock()};
    std::shared_ptr<sim::Policy> policy = std::make_shared<sim::Policy>();
    UriId uri{};
    GuestId add(const std::string& name, const GuestModel& model = {});
    GuestId add(UriId on, const std::string& name, GuestModel model);
    /// On the resume list, as an earlier drain left it.
    void list(const GuestId& guest, ResumeEntry entry = {});
    /// Guests are up already: this boot has had its boot run.
    void booted_before();

    // The story. All times are virtual, counted from the host's start.
    sim::Driver& driver();
    /// guestd starts, and its URIs have answered (as far as they do within 10 s).
    void start();
    /// Starts if need be, asks for the run, and goes on until no run is active.
    void drain(RunRequested request = {RunKind::drain, Trigger::poweroff, {}, {}});
    void boot();
    void finish();
    void run_for(Duration time) { driver().run_until(driver().now() + time); }
    void reboot() { driver().reboot_host(); }
    TimePoint now() { return world.clock().now(); }

    // What came of it.
    /// As the store has it, for the newest run that knows the guest.
    Outcome outcome(const GuestId& guest) const;
    std::string cause(const GuestId& guest) const;
    const sim::Truth& truth(const GuestId& guest) const { return world.truth(guest); }
    bool up(const GuestId& guest) const { return is_active(truth(guest).state); }
    bool on_list(const GuestId& guest) const;
    const ResumeEntry* entry(const GuestId& guest) const;
    RunRecord last_run() const { return store.runs.rbegin()->second; }
    /// Kinds of the calls that reached libvirt, in order.
    std::vector<CallKind> asked(const GuestId& guest) const;
    /// When the n-th call of that kind reached it, counted from the start of the newest run.
    Duration asked_at(const GuestId& guest, CallKind kind, std::size_t n = 0) const;
    /// From the start of the newest run to the guest's outcome.
    Duration took(const GuestId& guest) const;
    /// Commands of one type, in order.
    template <class T>
    std::vector<std::pair<TimePoint, T>> commands() const;
    std::vector<std::string> notices(NoticeKind kind) const;
    std::string transcript() const { return sim::describe(driver_->transcript()); }

private:
    const RunGuestRecord* row(const GuestId& guest) const;
    std::string uri_text(const GuestId& guest) const;
    std::unique_ptr<sim::Driver> driver_;
};

template <class T>
std::vector<std::pair<TimePoint, T>> Host::commands() const {
    std::vector<std::pair<TimePoint, T>> found;
    for (const auto& entry : driver_->transcript())
        if (const auto* command = std::get_if<Command>(&entry.what))
            if (const auto* wanted = std::get_if<T>(command))
                found.emplace_back(entry.at, *wanted);
    return found;
}

/// Virtual times are exact but for latencies and the ticks of what looks once a second.
inline void expect_seconds(Duration time, double seconds) {
    EXPECT_NEAR(std::chrono::duration<double>(time).count(), seconds, 1.2);
}

inline Step shutdown_for(Duration time, ShutdownMode mode = ShutdownMode::automatic) {
    return Step{StepKind::shutdown, mode, time, {}};
}
inline Step save_for(Duration time) {
    return Step{StepKind::save, ShutdownMode::automatic, time, {}};
}
inline Step destroy_step() {
    return Step{StepKind::destroy, ShutdownMode::automatic, kDefaultDestroyTime, {}};
}
inline Step leave_step() {
    return Step{StepKind::leave, ShutdownMode::automatic, {}, {}};
}
inline GuestModel deaf() {
    GuestModel model;
    model.obeys.reset();
    return model;
}
inline GuestModel obeys_after(Duration time) {
    GuestModel model;
    model.obeys = time;
    return model;
}
inline GuestModel in_state(GuestState state) {
    GuestModel model;
    model.state = state;
    return model;
}
inline GuestModel stopped() {
    return in_state(GuestState::shutoff);
}

}  // namespace guestd::testing
