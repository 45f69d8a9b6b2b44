// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How many saves of a URI begin at once.
///
/// A save has two parts: QEMU hands over its memory, which keeps processors and the disk busy, and
/// then libvirt waits for the disk and for QEMU's end, 200 ms at a time. When all begin at once
/// they also end at once, and the host idles until the next ones begin. So a few have a place to
/// begin, and each keeps it until libvirt says that its memory is written, or for a while. One that
/// keeps it to the end of that makes the places twice as many: on storage that answers late, many
/// wait as well as one.

#include <chrono>
#include <utility>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::core {

class SaveWindow {
public:
    void began(const GuestId& guest, TimePoint now);
    /// Written, or ended in any other way. Whoever has no place any more changes nothing.
    void ended(const GuestId& guest);
    /// Takes the places of those that have had theirs for long enough.
    void expire(TimePoint now);
    bool full() const { return taken_.size() >= places_; }
    /// When the next one is taken; kNever = nobody has a place.
    TimePoint next() const { return taken_.empty() ? kNever : taken_.front().second; }

private:
    /// Two for each processor of a small host: what one waits for, another one uses. With 2, 3, 4
    /// and 6 thirty small guests took equally long on two processors.
    static constexpr std::size_t kAtFirst = 4;
    /// No libvirtd is told to serve more (daemon.max_workers).
    static constexpr std::size_t kMost = 1000;
    /// Twice what four guests of a few MiB need to be written on two processors, all together.
    static constexpr Duration kKept = std::chrono::milliseconds{200};

    std::size_t places_ = kAtFirst;
    std::vector<std::pair<GuestId, TimePoint>> taken_;  ///< by whom, until when; the oldest first
};

}  // namespace guestd::core
