// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The need "path:PATH".
///
/// Told by inotify where that hears of it (not what other hosts do on network storage), by mounts,
/// and by a slow timer. Looks are errands, one at a time: while the path's file system does not
/// answer the need does not hold, and nothing but that errand hangs.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sensors/errands.hpp"
#include "sensors/mounts.hpp"
#include "sensors/path_look.hpp"
#include "sensors/sensor.hpp"

namespace guestd::sensors {

class PathNeed : public Sensor {
public:
    struct Times {
        Duration safety;    ///< between looks that nothing has asked for
        Duration patience;  ///< until a file system counts as not answering
    };
    PathNeed(systemd::Loop& loop, MountTable& table, Errands& errands, std::string path,
             Times times, Reporter reporter);

private:
    void listen();
    void heard();
    bool concerns(const Lookout& news) const;
    void look();
    void looked(std::optional<Look> look);
    void impatient();

    systemd::Loop& loop_;
    Errands& errands_;
    std::string path_;
    Times times_;
    Reporter reporter_;
    std::shared_ptr<const Fd> inotify_;  ///< shared with a look that hangs
    systemd::IoSource source_;
    systemd::TimeSource timer_;
    systemd::TimeSource patience_;
    std::vector<Lookout> lookouts_;
    std::vector<Lookout> heard_;  ///< during a look; whether it matters, its result says
    bool again_ = false;
    std::optional<Errands::Ticket> errand_;
    MountTable::Subscription subscription_;
};

}  // namespace guestd::sensors
