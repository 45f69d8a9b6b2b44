// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Not sd_journal_sendv(): it waits for ever for a journald that hangs, once the socket's queue is
// full, and the loop with it; the watchdog then kills a guestd whose only fault was to say
// something.
#include "systemd/journal.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <atomic>
#include <cstdint>
#include <cstring>

namespace guestd::systemd {
namespace {

/// What systemd's own PID 1 grants its log: enough for a journald that is only busy.
constexpr timeval kPatience{.tv_sec = 0, .tv_usec = 10'000};

/// For the life of the process, and not connected: a journald that is restarted is found again.
int sender() {
    static const int fd = [] {
        const int made = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ::setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
        return made;
    }();
    return fd;
}

}  // namespace

std::string journal_datagram(const std::vector<std::string>& fields) {
    std::string out;
    for (const auto& field : fields) {
        const auto split = field.find('=');
        if (split == std::string::npos)
            continue;
        if (field.find('\n') == std::string::npos) {
            out += field + '\n';
            continue;
        }
        // The length of a value with line ends goes before it, 64 bits little-endian.
        out.append(field, 0, split) += '\n';
        const std::uint64_t size = field.size() - split - 1;
        for (unsigned byte = 0; byte < sizeof size; ++byte)
            out += static_cast<char>(size >> (8 * byte) & 0xff);
        out.append(field, split + 1) += '\n';
    }
    return out;
}

void send_to_journal(const std::vector<std::string>& fields, std::string_view socket) noexcept {
    try {
        static std::atomic<bool> hangs = false;
        const auto datagram = journal_datagram(fields);
        sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
        if (socket.size() >= sizeof to.sun_path)
            return;
        std::memcpy(to.sun_path, socket.data(), socket.size());
        const auto sent = ::sendto(sender(), datagram.data(), datagram.size(),
                                   MSG_NOSIGNAL | (hangs ? MSG_DONTWAIT : 0),
                                   reinterpret_cast<const sockaddr*>(&to), sizeof to);
        hangs = sent < 0 && errno == EAGAIN;
    } catch (...) {
        // No memory for a log line.
    }
}

}  // namespace guestd::systemd
