// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "guestd/time.hpp"

namespace guestd {

/// Whoever supervises this process: systemd, through sd_notify. Without a supervisor every member
/// does nothing. Loop's thread; none blocks.
class Supervisor {
public:
    virtual ~Supervisor() = default;
    virtual void ready() = 0;
    virtual void reloading() = 0;
    virtual void stopping() = 0;
    virtual void status(const std::string& text) = 0;
    /// Asks for this much more time, counted from now, before the stop times out.
    virtual void extend_timeout(Duration time) = 0;
};

}  // namespace guestd
