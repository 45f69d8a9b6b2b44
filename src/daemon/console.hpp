// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a person reads who stands before a host that goes down. The journal is not shown there, and
/// of STATUS= systemd shows what is left of one line of 80 columns.

#include <string>
#include <string_view>

#include "guestd/machine.hpp"
#include "guestd/time.hpp"

namespace guestd::daemon {

class Console {
public:
    explicit Console(const char* path = "/dev/console");
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    /// One line; raw text. Does not block: what a slow console does not take is lost.
    void say(std::string_view text) noexcept;

private:
    int fd_ = -1;  ///< -1: there is no console, or not for us
};

/// "3 of 7 guests are down, 43s left: web-2 shutdown (silent, asked 2 times), …"; "" when no drain
/// is under way.
std::string console_text(const Machine& machine, TimePoint now);

}  // namespace guestd::daemon
