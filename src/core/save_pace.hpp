// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How fast the saves of one URI get to its disk, all together, and what follows from that.
///
/// Sizes are of guests' memory, not of images: what a save has still to go through is what it needs
/// time for, and empty pages go fast. The rate is what all of them, also those that have ended, did
/// in the last few seconds of which statistics tell; it is not known before there are any (small
/// guests are saved long before), or while they fail to come.

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::core {

class SavePace {
public:
    /// What earlier runs have learned, bytes per second; 0 = nothing.
    struct Learned {
        double disk = 0;    ///< all saves together
        double stream = 0;  ///< the fastest single one
    };

    void know(Learned learned) { learned_ = learned; }
    /// `joined`: it has been under way for some time already.
    void began(const GuestId& guest, Bytes memory, TimePoint now, bool joined = false);
    void progressed(const GuestId& guest, Bytes left, TimePoint now);
    /// The image is complete (or not: aborted, failed).
    void ended(const GuestId& guest, bool complete, TimePoint now);

    /// Bytes per second of all saves together: measured, else learned; 0 = unknown.
    double rate(TimePoint now) const;
    /// Long enough since the first save for `rate` to be a measurement.
    bool measured(TimePoint now) const;
    /// When each would be done, if they share the disk evenly. Empty without a rate.
    std::map<GuestId, TimePoint> projection(TimePoint now) const;
    /// What a save has still to go through.
    Bytes left(const GuestId& guest) const;
    /// That the disk needs for so much; as good as for ever without a rate.
    Duration time_for(Bytes bytes, TimePoint now) const;
    /// How many saves at once keep the disk busy. More of them only make all of them late: while
    /// there is time for everything (`queued` bytes and what is under way, until `limit`), or
    /// nothing is known, that does not matter, and there is no such number.
    std::optional<unsigned> enough(Bytes queued, TimePoint limit, TimePoint now) const;
    /// Of this run, once a save is complete.
    std::optional<Learned> learned() const;

private:
    struct Sample {
        TimePoint at{};
        std::uint64_t left = 0;
    };
    struct Save {
        std::uint64_t memory = 0;
        TimePoint begun{};
        std::deque<Sample> samples;  ///< of the last seconds
        bool over = false;
        bool joined = false;  ///< its first statistics tell where it is
        std::uint64_t left() const { return samples.back().left; }
        TimePoint seen() const { return samples.back().at; }
    };
    /// Empty when it is not known.
    std::optional<double> measured_rate(TimePoint now) const;

    Learned learned_;
    std::map<GuestId, Save> saves_;  ///< with those that ended not long ago
    TimePoint busy_since_{};         ///< there have been saves without a gap
    unsigned active_ = 0;
    Duration busy_{};             ///< with at least one save under way
    std::uint64_t complete_ = 0;  ///< memory of the complete ones
    double stream_ = 0;
};

}  // namespace guestd::core
