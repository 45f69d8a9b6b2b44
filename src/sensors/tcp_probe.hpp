// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The probe "tcp:HOST:PORT": somebody accepts connections there.
///
/// A round tries every address of the host, one after another; after a round without success there
/// is another one, with the name looked up anew, as guests get their addresses late. The first
/// connection that is accepted ends the probe. Nothing is sent.

#include <cstdint>
#include <string>

#include "sensors/addresses.hpp"
#include "sensors/errands.hpp"
#include "sensors/io.hpp"
#include "sensors/places.hpp"
#include "sensors/sensor.hpp"

namespace guestd::sensors {

class TcpProbe : public Sensor {
public:
    struct Times {
        Duration attempt;  ///< for one address, and for a name server
        Duration pause;    ///< between rounds
    };
    /// `sockets`: places, one for each round under way.
    TcpProbe(systemd::Loop& loop, Errands& lookups, Places& sockets, std::string host,
             std::uint16_t port, Times times, Reporter reporter);

private:
    void on_time();
    void begin_round();
    void found(Addresses addresses);
    void try_next();
    void connected();
    void give_up_address(const std::string& why);
    void end_round(std::string why);

    systemd::Loop& loop_;
    Errands& lookups_;
    Places& sockets_;
    std::string host_;
    std::uint16_t port_;
    Times times_;
    Reporter reporter_;
    Addresses addresses_;
    std::size_t next_ = 0;  ///< index of the address to try
    std::optional<Errands::Ticket> lookup_;
    Places::Place place_;
    SharedFd socket_;
    systemd::IoSource source_;
    systemd::TimeSource timer_;  ///< patience with an attempt, or the pause after a round
};

}  // namespace guestd::sensors
