// SPDX-License-Identifier: LGPL-2.1-or-later
// The probe for a service of a guest: real sockets of this host, and a network of one's own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "sensors/addresses.hpp"
#include "sensors/fd.hpp"
#include "sensors_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

/// A port of this host that is ours, open or closed.
class Port {
public:
    explicit Port(const char* address = "127.0.0.1", int backlog = -1) {
        sockaddr_storage name{};
        socklen_t size = 0;
        if (::inet_pton(AF_INET6, address, &reinterpret_cast<sockaddr_in6&>(name).sin6_addr) == 1) {
            name.ss_family = AF_INET6;
            size = sizeof(sockaddr_in6);
        } else {
            ::inet_pton(AF_INET, address, &reinterpret_cast<sockaddr_in&>(name).sin_addr);
            name.ss_family = AF_INET;
            size = sizeof(sockaddr_in);
        }
        socket_ = Fd{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        auto* const raw = reinterpret_cast<sockaddr*>(&name);
        usable_ = ::bind(socket_.number(), raw, size) == 0;
        if (backlog >= 0)
            listen(backlog);
        ::getsockname(socket_.number(), raw, &size);
        // At the same place for both families.
        number_ = ntohs(reinterpret_cast<sockaddr_in&>(name).sin_port);
    }
    void listen(int backlog = 8) { ::listen(socket_.number(), backlog); }
    std::uint16_t number() const { return number_; }
    bool usable() const { return usable_; }

private:
    Fd socket_;
    std::uint16_t number_ = 0;
    bool usable_ = false;
};

class TcpTest : public SensorsTest {
protected:
    TcpTest() { options_.connect_pause = 20ms; }
    void probe(const std::string& host, std::uint16_t port, WatchId id = kId) {
        sensors().watch(
            {.id = id, .what = Probe{.kind = ProbeKind::tcp, .target = host, .port = port}});
    }
};

TEST_F(TcpTest, HoldsOnceSomebodyListens) {
    Port port;
    probe("127.0.0.1", port.number());
    EXPECT_TRUE(until_told(false, "connection refused"));
    port.listen();
    EXPECT_TRUE(until_holds());
    EXPECT_EQ(times_told_[kId], 2);
}

TEST_F(TcpTest, AndThenForGood) {
    auto port = std::make_unique<Port>("127.0.0.1", 8);
    probe("127.0.0.1", port->number());
    EXPECT_TRUE(until_holds());
    const auto number = port->number();
    port.reset();
    // Refused by now, as another watch sees; many pauses later the first one says nothing new.
    probe("127.0.0.1", number, 8);
    EXPECT_TRUE(until_told(false, "connection refused", 8));
    EXPECT_EQ(times_told_[kId], 1);
}

TEST_F(TcpTest, SilenceTimesOut) {
    options_.connect_time = 50ms;
    Port port{"127.0.0.1", 0};
    // A full queue of connections that nobody takes: the next SYN gets no answer.
    std::vector<Fd> filling;
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port.number());
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int count = 0; count < 3; ++count) {
        filling.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ::connect(filling.back().number(), reinterpret_cast<sockaddr*>(&name), sizeof name);
    }
    probe("127.0.0.1", port.number());
    EXPECT_TRUE(until_told(false, "timed out"));
}

TEST_F(TcpTest, AddressesOfVersionSix) {
    Port port{"::1", 8};
    if (!port.usable())
        GTEST_SKIP() << "no IPv6 here";
    probe("::1", port.number(), 1);
    probe("[::1]", port.number(), 2);
    for (const WatchId id : {1, 2})
        EXPECT_TRUE(until_holds(id)) << id;
}

TEST(Addresses, NumbersNeedNoServer) {
    const auto local = numeric_addresses("[fe80::1%lo]", 22);
    ASSERT_TRUE(local);
    ASSERT_EQ(local->list.size(), 1U);
    const auto& name = reinterpret_cast<const sockaddr_in6&>(local->list[0].storage);
    EXPECT_EQ(name.sin6_family, AF_INET6);
    EXPECT_EQ(name.sin6_scope_id, ::if_nametoindex("lo"));
    EXPECT_EQ(name.sin6_port, htons(22));
    EXPECT_TRUE(numeric_addresses("192.0.2.1", 65535));
    for (const char* host : {"", "localhost", "1.2.3.4.5", "[", "[]", "fe80::1%no such link"})
        EXPECT_FALSE(numeric_addresses(host, 22)) << host;
}

TEST_F(TcpTest, NamesAreLookedUpAndEachAddressTried) {
    // The name may have both addresses, of which only this one answers.
    Port port{"127.0.0.1", 8};
    probe("localhost", port.number());
    EXPECT_TRUE(until_holds());
}

TEST_F(TcpTest, NamesThatNobodyKnows) {
    probe("no such host.invalid", 1);
    EXPECT_TRUE(until([&] { return times_told_[kId] > 0; }));
    EXPECT_FALSE(told_[kId].first);
    EXPECT_THAT(told_[kId].second, ::testing::StartsWith("no such host.invalid"));
}

TEST_F(TcpTest, ManyAtOnce) {
    // More than there are sockets for, half of them in vain.
    Port closed;
    Port open{"127.0.0.1", 500};
    for (WatchId id = 1; id <= 200; ++id)
        probe("127.0.0.1", id % 2 == 0 ? open.number() : closed.number(), id);
    for (WatchId id = 1; id <= 200; ++id)
        EXPECT_TRUE(id % 2 == 0 ? until_holds(id) : until_told(false, "connection refused", id));
}

TEST_F(TcpTest, NobodyIsConnectedToHimself) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "networks are for root";
    // With one port to call from, a call to that port comes from that port.
    const Fd before{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    const Fd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq loopback{};
    ::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    EXPECT_EQ(::ioctl(control.number(), SIOCSIFFLAGS, &loopback), 0);
    std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "40000 40000\n";
    EXPECT_EQ(read_file("/proc/sys/net/ipv4/ip_local_port_range"), "40000\t40000\n");
    probe("127.0.0.1", 40000, 1);
    probe("192.0.2.1", 80, 2);
    EXPECT_TRUE(until_told(false, "connection refused", 1));
    EXPECT_TRUE(until_told(false, "network is unreachable", 2));
    EXPECT_EQ(::setns(before.number(), CLONE_NEWNET), 0);
}

}  // namespace
}  // namespace guestd::sensors::testing
