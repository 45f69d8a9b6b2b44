// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/tcp_probe.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "sensors/words.hpp"

namespace guestd::sensors {
namespace {

/// A port of this host's own range for outgoing connections may be connected to itself (both ends
/// the same), with nobody listening.
bool is_self(int socket) {
    sockaddr_storage here{};
    sockaddr_storage there{};
    socklen_t here_size = sizeof here;
    socklen_t there_size = sizeof there;
    return ::getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
           ::getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 &&
           here_size == there_size && std::memcmp(&here, &there, here_size) == 0;
}

std::string why_not(int error) {
    return error == ETIMEDOUT ? "timed out" : words(error);
}

}  // namespace

TcpProbe::TcpProbe(systemd::Loop& loop, Errands& lookups, Places& sockets, std::string host,
                   std::uint16_t port, Times times, Reporter reporter)
    : loop_(loop),
      lookups_(lookups),
      sockets_(sockets),
      host_(std::move(host)),
      port_(port),
      times_(times),
      reporter_(std::move(reporter)) {
    if (auto timer = loop.add_time(kNever, "tcp probe", [this] { on_time(); }))
        timer_ = std::move(*timer);
    begin_round();
}

void TcpProbe::on_time() {
    if (socket_)
        give_up_address("timed out");
    else if (lookup_)
        reporter_.fails("no answer to the question for the address of " + host_);
    else
        begin_round();
}

void TcpProbe::begin_round() {
    if (auto numbers = numeric_addresses(host_, port_))
        return found(std::move(*numbers));
    lookup_ = lookups_.send<Addresses>(
        [host = host_, port = port_] { return look_up(host, port); },
        [this](std::optional<Addresses> addresses) {
            lookup_.reset();
            found(addresses ? std::move(*addresses)
                            : Addresses{{}, host_ + " cannot be looked up: no thread for it"});
        });
    timer_.arm(loop_.now() + times_.attempt);
}

void TcpProbe::found(Addresses addresses) {
    timer_.disarm();
    addresses_ = std::move(addresses);
    next_ = 0;
    if (addresses_.list.empty())
        return end_round(addresses_.problem);
    place_ = sockets_.ask([this] { try_next(); });
}

void TcpProbe::try_next() {
    const Address& address = addresses_.list[next_++];
    source_.reset();
    Fd socket{::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket)
        return give_up_address(why_not(errno));
    socket_ = share(std::move(socket));
    const int code = ::connect(socket_->number(),
                               reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    if (code == 0)
        return connected();
    // Interrupted, it goes on all the same.
    if (errno != EINPROGRESS && errno != EINTR)
        return give_up_address(why_not(errno));
    auto source = add_shared_io(loop_, socket_, EPOLLOUT, "tcp probe", [this] { connected(); });
    if (!source)
        return give_up_address(source.error().message());
    source_ = std::move(*source);
    timer_.arm(loop_.now() + times_.attempt);
}

/// Or refused: the attempt has come to its end.
void TcpProbe::connected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket_->number(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && is_self(socket_->number()))
        error = ECONNREFUSED;
    if (error != 0)
        return give_up_address(why_not(error));
    source_.reset();
    timer_.reset();
    socket_.reset();
    place_ = Places::Place{};
    reporter_.holds();
}

void TcpProbe::give_up_address(const std::string& why) {
    source_.reset();
    socket_.reset();
    timer_.disarm();
    if (next_ < addresses_.list.size())
        return try_next();
    end_round(why);
}

void TcpProbe::end_round(std::string why) {
    place_ = Places::Place{};
    timer_.arm(loop_.now() + times_.pause);
    reporter_.fails(std::move(why));
}

}  // namespace guestd::sensors
