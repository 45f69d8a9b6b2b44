// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The need "mount:PATH", and the table of mounts that all of them share.
///
/// The kernel says that the table has changed, not what: it is read anew. PID 1's table comes
/// first, as that is the host's: a service manager gives a daemon a view of its own, in which
/// protected folders are mount points that the host does not have.

#include <functional>
#include <list>
#include <optional>
#include <string>

#include "sensors/errands.hpp"
#include "sensors/fd.hpp"
#include "sensors/mountinfo.hpp"
#include "sensors/sensor.hpp"

namespace guestd::sensors {

/// Loop's thread. Reads, and watches, only while somebody listens.
class MountTable {
public:
    using Listener = std::function<void()>;
    /// Listening, until it is destroyed; must not outlive the table.
    class Subscription {
    public:
        Subscription(MountTable& table, Listener listener);
        ~Subscription();
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;

    private:
        MountTable& table_;
        std::list<Listener>::iterator place_;
    };

    /// `proc`: /proc, or a folder that plays it. `safety`: how often the table is read although
    /// nothing was said.
    MountTable(systemd::Loop& loop, std::string proc, Duration safety);

    /// Empty when it cannot be read.
    const std::optional<Mounts>& mounts() const { return mounts_; }

private:
    void start();
    void stop();
    bool open_at(const std::string& path);
    void changed();
    void read();

    systemd::Loop& loop_;
    std::string proc_;
    Duration safety_;
    std::string path_;
    std::optional<Mounts> mounts_;
    TimePoint last_read_{};
    std::list<Listener> listeners_;
    Fd fd_;
    systemd::IoSource source_;
    systemd::TimeSource timer_;
};

class MountNeed : public Sensor {
public:
    MountNeed(MountTable& table, Errands& errands, const std::string& path, Reporter reporter);

private:
    void judge();
    void spring_trap();

    MountTable& table_;
    Errands& errands_;
    std::string path_;
    Reporter reporter_;
    std::optional<Errands::Ticket> knock_;
    MountTable::Subscription subscription_;
};

}  // namespace guestd::sensors
