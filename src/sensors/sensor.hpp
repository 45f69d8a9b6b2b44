// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What every watch has: an object of its own that tells until it is destroyed. No watch knows of
/// another one; what they share (the mount table, the way to systemd, places) holds none of them
/// up for the sake of another.

#include <optional>
#include <string>
#include <utility>

#include "guestd/ports/hypervisor.hpp"

namespace guestd::sensors {

/// A watch, for as long as it lives. Destroying it never blocks.
class Sensor {
public:
    Sensor() = default;
    virtual ~Sensor() = default;
    Sensor(const Sensor&) = delete;
    Sensor& operator=(const Sensor&) = delete;
};

/// Tells the core what it does not know yet, and nothing twice.
class Reporter {
public:
    Reporter(WatchId id, EventSink sink) : id_(id), sink_(std::move(sink)) {}

    void tell(bool holds, std::string text) {
        std::pair now{holds, std::move(text)};
        if (last_ == now)
            return;
        last_ = now;
        sink_(WatchChanged{id_, holds, std::move(now.second)});
    }
    void holds() { tell(true, ""); }
    void fails(std::string why) { tell(false, std::move(why)); }
    bool told() const { return last_.has_value(); }

private:
    WatchId id_;
    EventSink sink_;
    std::optional<std::pair<bool, std::string>> last_;
};

}  // namespace guestd::sensors
