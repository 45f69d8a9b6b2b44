// SPDX-License-Identifier: LGPL-2.1-or-later
// Without this, sd-journal.h adds the place of the call, which would always be the one below.
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "systemd/journal.hpp"

#include <sys/uio.h>
#include <systemd/sd-journal.h>

namespace guestd::systemd {

void send_to_journal(const std::vector<std::string>& fields) noexcept {
    try {
        std::vector<iovec> parts;
        parts.reserve(fields.size());
        for (const auto& field : fields)
            parts.push_back({const_cast<char*>(field.data()), field.size()});
        sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
    } catch (...) {
        // No memory for a log line.
    }
}

}  // namespace guestd::systemd
