// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The host's own sensors: the port HostSensors on Linux and systemd.
///
/// This only hands out watches. Each is an object of its own (mounts, paths, units, tcp_probe,
/// exec_probe) that tells for as long as it lives; what may hang is in threads and processes of
/// their own (errands, program).

#include <chrono>
#include <memory>
#include <string>

#include "guestd/ports/host_sensors.hpp"
#include "guestd/ports/hypervisor.hpp"
#include "guestd/time.hpp"
#include "systemd/going_down.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors {

/// What a test may want otherwise.
struct Options {
    std::string proc = "/proc";
    /// systemd's own, for when there is no system bus.
    std::string systemd_socket = systemd::kPrivateSocket;
    /// Needs that should have told of a change by themselves are looked at this often all the same:
    /// network storage tells nothing of what other hosts do, and any source may lose an event.
    /// Waiting ten seconds more for a start is bearable; looking costs microseconds.
    Duration safety = std::chrono::seconds{10};
    /// Until a file system counts as not answering. Disks that wake up take five seconds and more,
    /// but the look goes on, and what is told is only text.
    Duration look_patience = std::chrono::seconds{5};
    /// For an answer of systemd, which is slow while it reloads hundreds of units.
    Duration manager_patience = std::chrono::seconds{5};
    /// One attempt to connect: a lost SYN is sent again after 1 s and 3 s.
    Duration connect_time = std::chrono::seconds{3};
    Duration connect_pause = std::chrono::seconds{1};
    /// One run of a program.
    Duration exec_time = std::chrono::seconds{30};
    Duration exec_pause = std::chrono::seconds{2};
};

class SystemSensors : public HostSensors {
public:
    /// The sink is called on the loop's thread and must not call back into this. Nothing is opened
    /// before it is needed. Throws when the loop has no more sources to give.
    SystemSensors(systemd::Loop& loop, EventSink sink, Options options = {});
    ~SystemSensors() override;

    /// Kinds that are not of the host are ignored; a known id is watched anew.
    void watch(const Watch& watch) override;
    void unwatch(WatchId id) override;
    void watch_host(bool wanted) override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace guestd::sensors
