// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace guestd::systemd {

inline constexpr std::string_view kJournalSocket = "/run/systemd/journal/socket";

/// One entry, of fields "NAME=value"; values may hold any bytes. Lost without a word when there is
/// no journald, or one that hangs: waits at most 10 ms for it, and not again before it has taken an
/// entry. Any thread.
void send_to_journal(const std::vector<std::string>& fields,
                     std::string_view socket = kJournalSocket) noexcept;

/// The fields as systemd's native journal protocol has them (systemd.io/JOURNAL_NATIVE_PROTOCOL).
std::string journal_datagram(const std::vector<std::string>& fields);

}  // namespace guestd::systemd
