// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What guestctl's exit status says. Public interface: scripts depend on it.

#include <stdexcept>
#include <string>

namespace guestd::ctl {

enum Exit : int {
    kExitOk = 0,
    kExitFailure = 1,       ///< guestd, or this program, could not do it
    kExitUsage = 2,         ///< the command line makes no sense
    kExitNotConnected = 3,  ///< guestd does not run, or cannot be reached
    kExitUnclean = 4,       ///< a run that was waited for, or planned, does not end clean
    kExitTimeout = 5,       ///< what was waited for did not come in time
};

/// Ends guestctl with a message. Thrown by anything below main(), caught only there.
class Stop : public std::runtime_error {
public:
    Stop(Exit status, const std::string& message) : std::runtime_error(message), status_(status) {}
    Exit status() const { return status_; }

private:
    Exit status_;
};

}  // namespace guestd::ctl
