// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace guestd::systemd {

/// Text from outside, fit for a line of a log or a terminal: control characters, invisible ones
/// that turn text around, and bytes that are no UTF-8 become \xNN, byte by byte; a backslash that
/// could be taken for such an escape is doubled. At most `limit` bytes, cut between characters and
/// ended by "…" (three bytes more) when something is missing.
std::string escaped(std::string_view text, std::size_t limit);

}  // namespace guestd::systemd
