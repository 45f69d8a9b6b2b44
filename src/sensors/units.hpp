// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The need "unit:NAME": systemd's unit is active, as `systemctl is-active` sees it.
///
/// A signal of the unit means only that it is to be read again. While systemd cannot be asked the
/// last word counts for as long as one attempt to reach it anew takes.

#include <string>

#include "sensors/manager_link.hpp"
#include "sensors/sensor.hpp"

namespace guestd::sensors {

/// What systemd says of a unit.
struct UnitState {
    std::string load;    ///< "loaded", "not-found", "masked", …
    std::string active;  ///< "active", "failed", …
};
bool is_active(const UnitState& state);
/// Why it is not: "iscsid.service is failed".
std::string why_not_active(const std::string& unit, const UnitState& state);

class UnitNeed : public Sensor, private ManagerLink::User {
public:
    /// `safety`: between readings that nothing has asked for.
    UnitNeed(systemd::Loop& loop, ManagerLink& link, std::string unit, Duration safety,
             Reporter reporter);
    ~UnitNeed() override;

private:
    void up() override;
    void down(const std::string& why) override;
    void read();
    void answered(sd_bus_message* reply);
    void listen(const std::string& path);
    static int on_answer(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
    static int on_changed(sd_bus_message*, void* userdata, sd_bus_error*) noexcept;

    systemd::Loop& loop_;
    ManagerLink& link_;
    std::string unit_;
    Duration safety_;
    Reporter reporter_;
    systemd::TimeSource timer_;
    std::string path_;  ///< of the unit's object, when it is listened to
    bool again_ = false;
    unsigned failures_ = 0;  ///< of the way, since the last answer
    Slot match_;
    Slot question_;
};

}  // namespace guestd::sensors
