// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Drives a Machine against a World and a Store, as the daemon drives one against a host: every
/// event goes in, in order of time; every command is carried out; TimeElapsed when it is due.
///
/// guestd may be killed at any *point*: before or after any single command. A new machine then
/// starts from what the store holds.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "guestd/machine.hpp"
#include "sim/store.hpp"
#include "sim/transcript.hpp"
#include "sim/world.hpp"

namespace guestd::sim {

class Driver {
public:
    Driver(World& world, Store& store, std::shared_ptr<const PolicySource> policy);

    /// A machine begins its life; the one before, if any, is dead.
    void start_guestd(bool safe_boot = false);
    /// SIGKILL: nothing it still had in mind is done. With `back`, it is started again after that.
    void kill_guestd(std::optional<Duration> back = {});
    /// Power lost and back; guestd has not been started yet.
    void reboot_host();
    /// Kills guestd at that point, counted from 1 over all lives; `back` as above.
    void kill_at(std::size_t point, Duration back);

    /// Event for the machine, now or later; lost when there is none then.
    void send(Event event);
    void send_at(TimePoint when, Event event);

    /// Goes on until `done`, or until `limit`; false when it was not done.
    bool run(const std::function<bool()>& done, TimePoint limit);
    void run_until(TimePoint limit) {
        run([] { return false; }, limit);
    }
    /// Until a machine lives and no run is active.
    bool run_to_end(TimePoint limit);

    TimePoint now() const { return world_.clock().now(); }
    Machine& machine() { return *machine_; }
    bool alive() const { return machine_.has_value(); }
    const Transcript& transcript() const { return transcript_; }
    std::size_t points() const { return points_; }
    /// How often a point of kill_at() was reached.
    unsigned kills() const { return kills_; }
    const std::string& boot_id() const { return boot_id_; }
    /// The machine wanted to be called at one instant again and again: a bug.
    bool livelock() const { return livelock_; }

    /// Off: nobody reads it, and for large fleets it would be most of the memory.
    bool keep_transcript = true;
    /// Sees each command just before it is carried out.
    std::function<void(const Command&)> watch = [](const Command&) {};

private:
    template <class What>
    void note(const What& what) {
        if (keep_transcript)
            transcript_.push_back({now(), life_, what});
    }
    void feed(const Event& event);
    void carry_out(Outbox out);
    void carry_out(Command command);
    /// True when guestd dies here.
    bool dies_here();

    World& world_;
    Store& store_;
    std::shared_ptr<const PolicySource> policy_;
    std::optional<Machine> machine_;
    std::string boot_id_ = "boot-1";
    unsigned boots_ = 1;
    unsigned life_ = 0;
    Transcript transcript_;
    std::size_t points_ = 0;
    std::size_t fatal_point_ = 0;
    unsigned kills_ = 0;
    Duration back_after_{};
    unsigned at_once_ = 0;
    bool livelock_ = false;
};

}  // namespace guestd::sim
