// SPDX-License-Identifier: LGPL-2.1-or-later
// What the service manager is told, read from the other end of NOTIFY_SOCKET.
#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "systemd/loop.hpp"
#include "systemd/supervisor.hpp"

namespace guestd::systemd {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class Manager : public ::testing::Test {
protected:
    void SetUp() override {
        // An abstract name: no file to be cleaned up.
        const std::string name = "guestd-notify-test-" + std::to_string(::getpid());
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        name.copy(address.sun_path + 1, name.size());
        fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
        ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
        ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    }
    void TearDown() override {
        ::unsetenv("NOTIFY_SOCKET");
        ::close(fd);
    }
    /// The next datagram; "" when there is none.
    std::string heard() {
        std::string text(8192, '\0');
        const auto size = ::recv(fd, text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }
    int fd = -1;
    SystemdSupervisor supervisor;
};

TEST_F(Manager, IsToldTheStates) {
    supervisor.ready();
    EXPECT_EQ(heard(), "READY=1");
    supervisor.reloading();
    EXPECT_THAT(heard(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
    supervisor.stopping();
    EXPECT_EQ(heard(), "STOPPING=1");
    supervisor.extend_timeout(90s);
    EXPECT_EQ(heard(), "EXTEND_TIMEOUT_USEC=90000000");
    supervisor.extend_timeout(-5s);
    EXPECT_EQ(heard(), "EXTEND_TIMEOUT_USEC=0");
    EXPECT_EQ(heard(), "");
}

TEST_F(Manager, StatusSmugglesNothingIn) {
    supervisor.status("saving a\nREADY=1\x1b[31m é \xff");
    EXPECT_EQ(heard(), "STATUS=saving a\\x0aREADY=1\\x1b[31m é \\xff");
}

TEST_F(Manager, LongStatusIsCut) {
    supervisor.status(std::string(1'000'000, 'a'));
    const std::string text = heard();
    EXPECT_THAT(text, StartsWith("STATUS=aaa"));
    EXPECT_THAT(text, HasSubstr("a…"));
    EXPECT_LT(text.size(), 600U);
}

TEST_F(Manager, NobodyThereIsNoError) {
    ::unsetenv("NOTIFY_SOCKET");
    supervisor.ready();
    EXPECT_EQ(heard(), "");
}

TEST_F(Manager, WatchdogIsPingedByTheLoop) {
    ::setenv("WATCHDOG_USEC", "20000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const auto loop = std::move(*Loop::create());
    ASSERT_TRUE(loop->set_watchdog().has_value());
    int pings = 0;
    const auto source = loop->add_io(fd, EPOLLIN, "manager", [&](std::uint32_t) {
        pings += heard() == "WATCHDOG=1" ? 1 : 0;
        if (pings == 3)
            loop->exit(0);
    });
    // Only reached by a test that fails.
    const auto end = loop->add_time(loop->now() + 20s, "end", [&] { loop->exit(1); });
    EXPECT_EQ(loop->run(), 0);
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
}

}  // namespace
}  // namespace guestd::systemd
