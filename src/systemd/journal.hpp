// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace guestd::systemd {

/// One entry, of fields "NAME=value"; values may hold any bytes. Lost without a word when there is
/// no journald. Any thread.
void send_to_journal(const std::vector<std::string>& fields) noexcept;

}  // namespace guestd::systemd
