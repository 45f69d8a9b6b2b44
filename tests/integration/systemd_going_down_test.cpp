// SPDX-License-Identifier: LGPL-2.1-or-later
// The answer to "is the host going down?", with every witness telling the truth, silent, or absent.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "systemd/fate_conversation.hpp"
#include "systemd/fate_evidence.hpp"
#include "systemd_fake_manager.hpp"

namespace guestd::systemd {

void PrintTo(const HostFate& fate, std::ostream* out) {
    if (const auto* down = std::get_if<GoingDown>(&fate))
        *out << "going down: " << to_string(down->trigger);
    else if (const auto* unclear = std::get_if<CannotTell>(&fate))
        *out << "cannot tell: " << unclear->reason;
    else
        *out << "stays up";
}

namespace {

using ::testing::AllOf;
using testing::FakeManager;
using testing::FakeState;
using ::testing::HasSubstr;
using testing::PrivateBus;
using namespace std::chrono_literals;

using Units = std::vector<std::string>;

struct JudgeCase {
    const char* name;
    Evidence evidence;
    HostFate fate;
};
class Judge : public ::testing::TestWithParam<JudgeCase> {};
TEST_P(Judge, Decides) {
    EXPECT_EQ(judge(GetParam().evidence), GetParam().fate);
}

Evidence jobs(const std::string& state, Units units) {
    return {.system_state = state, .start_jobs = std::move(units)};
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Judge,
    ::testing::Values(
        JudgeCase{"running", jobs("running", {}), StaysUp{}},
        JudgeCase{"degraded", jobs("degraded", {"x.service"}), StaysUp{}},
        JudgeCase{"starting", jobs("starting", {}), StaysUp{}},
        JudgeCase{"rescue", jobs("maintenance", {"rescue.target"}), StaysUp{}},
        JudgeCase{"reboot", jobs("stopping", {"shutdown.target", "reboot.target"}),
                  GoingDown{Trigger::reboot}},
        JudgeCase{"poweroff", jobs("stopping", {"poweroff.target"}), GoingDown{Trigger::poweroff}},
        JudgeCase{"halt", jobs("stopping", {"halt.target"}), GoingDown{Trigger::halt}},
        JudgeCase{"kexec", jobs("stopping", {"kexec.target"}), GoingDown{Trigger::kexec}},
        JudgeCase{"soft_reboot", jobs("stopping", {"soft-reboot.target"}),
                  GoingDown{Trigger::soft_reboot}},
        JudgeCase{"container_exit", jobs("stopping", {"exit.target"}),
                  GoingDown{Trigger::poweroff}},
        JudgeCase{"job_while_booting", jobs("starting", {"reboot.target"}),
                  GoingDown{Trigger::reboot}},
        JudgeCase{"stopping_without_job", jobs("stopping", {}), GoingDown{Trigger::poweroff}},
        JudgeCase{"shutdown_job_only", jobs("starting", {"shutdown.target"}),
                  GoingDown{Trigger::poweroff}},
        JudgeCase{"logind_prepares",
                  {.system_state = "running", .start_jobs = Units{}, .preparing = true},
                  GoingDown{Trigger::poweroff}},
        JudgeCase{"logind_prepares_scheduled",
                  {.system_state = "running",
                   .start_jobs = Units{},
                   .preparing = true,
                   .scheduled = "reboot"},
                  GoingDown{Trigger::reboot}},
        JudgeCase{"scheduled_for_later",
                  {.system_state = "running", .start_jobs = Units{}, .scheduled = "reboot"},
                  StaysUp{}},
        JudgeCase{"logind_alone_says_so",
                  {.preparing = true, .problem = "x"},
                  GoingDown{Trigger::poweroff}},
        JudgeCase{"state_alone",
                  {.system_state = "running", .problem = "ListJobs: no"},
                  CannotTell{"ListJobs: no"}},
        JudgeCase{"state_alone_stopping",
                  {.system_state = "stopping", .problem = "x"},
                  GoingDown{Trigger::poweroff}},
        JudgeCase{"jobs_alone", {.start_jobs = Units{}, .problem = "x"}, CannotTell{"x"}},
        JudgeCase{"nothing", {}, CannotTell{"no answer"}}),
    [](const auto& param) { return std::string{param.param.name}; });

class Asked : public ::testing::Test {
protected:
    HostFate ask(bool of_user = false) {
        const auto loop = std::move(*Loop::create());
        std::optional<HostFate> fate;
        std::unique_ptr<FateQuery> query;
        const TimePoint start = loop->now();
        const auto told = [&](HostFate answer) {
            EXPECT_FALSE(fate);
            fate = std::move(answer);
            query.reset();
            loop->exit(0);
        };
        query = of_user ? FateQuery::ask_user_manager(*loop, told, socket.string())
                        : FateQuery::ask(*loop, told, socket.string());
        EXPECT_FALSE(fate);
        loop->run();
        took = loop->now() - start;
        return fate.value_or(CannotTell{"never told"});
    }
    PrivateBus bus;
    std::filesystem::path socket = bus.dir() / "private";
    Duration took{};
};

TEST_F(Asked, HostStaysUp) {
    const FakeManager manager{{.jobs = {{"guestd.service", "restart"}}, .preparing = false}};
    EXPECT_EQ(ask(), HostFate{StaysUp{.logind_told = true}});
}

TEST_F(Asked, HostReboots) {
    const FakeManager manager{{.system_state = "stopping",
                               .jobs = {{"guestd.service", "stop"},
                                        {"shutdown.target", "start"},
                                        {"reboot.target", "start"}},
                               .preparing = true}};
    EXPECT_EQ(ask(), HostFate{GoingDown{Trigger::reboot}});
}

TEST_F(Asked, OnlyStartJobsCount) {
    const FakeManager manager{{.jobs = {{"reboot.target", "stop"}}}};
    EXPECT_EQ(ask(), HostFate{StaysUp{.logind_told = true}}) << "there is no logind to know better";
}

TEST_F(Asked, LogindIsHeard) {
    const FakeManager manager{{.preparing = true, .scheduled = "kexec"}};
    EXPECT_EQ(ask(), HostFate{GoingDown{Trigger::kexec}});
}

TEST_F(Asked, HangingLogindHoldsNothingUp) {
    const FakeManager manager{{.preparing = true, .logind_hangs = true}};
    EXPECT_EQ(ask(), HostFate{StaysUp{.logind_told = false}}) << "it may be about to go down";
}

TEST_F(Asked, SocketIsAskedWhenSystemdIsNotOnTheBus) {
    const FakeManager manager{{.jobs = {{"halt.target", "start"}}}, socket};
    EXPECT_EQ(ask(), HostFate{GoingDown{Trigger::halt}});
}

TEST_F(Asked, SocketIsAskedWhenTheBusIsFrozen) {
    bus.freeze();
    const FakeManager manager{FakeState{}, socket};
    EXPECT_EQ(ask(), HostFate{StaysUp{}});
}

TEST_F(Asked, SocketIsAskedWhenThereIsNoBus) {
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    const FakeManager manager{FakeState{}, socket};
    EXPECT_EQ(ask(), HostFate{StaysUp{}});
}

TEST_F(Asked, SocketIsAskedWhenTheBusRefuses) {
    const FakeManager refusing{{.refuse_jobs = true}};
    const FakeManager manager{{.jobs = {{"poweroff.target", "start"}}}, socket};
    EXPECT_EQ(ask(), HostFate{GoingDown{Trigger::poweroff}});
}

TEST_F(Asked, NobodyThereCannotTellAndSaysWhy) {
    const auto fate = ask();
    ASSERT_TRUE(std::holds_alternative<CannotTell>(fate));
    EXPECT_THAT(std::get<CannotTell>(fate).reason,
                AllOf(HasSubstr("over the system bus: "), HasSubstr("org.freedesktop.systemd1"),
                      HasSubstr("over systemd's own socket: "), HasSubstr("No such file")));
}

/// The user's systemd has a bus and a socket of its own; the system's is not asked.
class AskedOfUser : public Asked {
protected:
    AskedOfUser() {
        ::setenv("DBUS_SESSION_BUS_ADDRESS", std::getenv("DBUS_SYSTEM_BUS_ADDRESS"), 1);
        ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    }
    ~AskedOfUser() override { ::unsetenv("DBUS_SESSION_BUS_ADDRESS"); }
};

TEST_F(AskedOfUser, SessionGoesOn) {
    const FakeManager manager{{.jobs = {{"guestd.service", "restart"}}}, socket};
    EXPECT_EQ(ask(true), HostFate{StaysUp{}});
}

TEST_F(AskedOfUser, SessionEnds) {
    const FakeManager manager{
        {.system_state = "stopping", .jobs = {{"exit.target", "start"}}, .preparing = false},
        socket};
    EXPECT_EQ(ask(true), HostFate{GoingDown{Trigger::session_end}});
}

TEST_F(AskedOfUser, NobodyThereCannotTell) {
    const auto fate = ask(true);
    ASSERT_TRUE(std::holds_alternative<CannotTell>(fate));
    EXPECT_THAT(std::get<CannotTell>(fate).reason, HasSubstr("over the user's bus: "));
}

/// Connections are taken by the kernel, and by nobody else.
int deaf_listener(const std::filesystem::path& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd, 8), 0);
    return fd;
}

TEST_F(Asked, EverybodyHangingCannotTellInTime) {
    bus.freeze();
    const int deaf = deaf_listener(socket);
    const auto fate = ask();
    ::close(deaf);
    EXPECT_TRUE(std::holds_alternative<CannotTell>(fate));
    EXPECT_LE(took, kFateWithin);
}

/// The conversations themselves tell when they are over; the query's patience is for those that
/// never are.
class Talk : public Asked {
protected:
    const Evidence& over(std::unique_ptr<Conversation> talk) {
        // Only reached by a test that fails.
        const auto end = loop->add_time(loop->now() + 20s, "end", [&] { loop->exit(1); });
        conversation = std::move(talk);
        EXPECT_EQ(loop->run(), 0);
        return conversation->evidence();
    }
    std::function<void()> done = [this] { loop->exit(0); };
    std::unique_ptr<Loop> loop = std::move(*Loop::create());
    std::unique_ptr<Conversation> conversation;
};

TEST_F(Talk, EndsWithTheLastAnswer) {
    const FakeManager manager{{.preparing = true, .scheduled = "halt"}};
    const Evidence& evidence = over(Conversation::over_system_bus(*loop, done));
    EXPECT_EQ(evidence.system_state, "running");
    EXPECT_EQ(evidence.start_jobs, Units{});
    EXPECT_TRUE(evidence.preparing);
    EXPECT_EQ(evidence.scheduled, "halt");
    EXPECT_EQ(evidence.problem, "");
}

TEST_F(Talk, EndsWithoutAHangingLogind) {
    const FakeManager manager{{.preparing = true, .logind_hangs = true}};
    EXPECT_EQ(over(Conversation::over_system_bus(*loop, done)).problem, "");
}

TEST_F(Talk, EndsWhenThereIsNoSocket) {
    EXPECT_NE(over(Conversation::over_socket(*loop, socket.string(), done)).problem, "");
}

TEST_F(Asked, DestroyedQueryIsSilent) {
    const FakeManager manager{FakeState{}};
    const auto loop = std::move(*Loop::create());
    auto dropped = FateQuery::ask(
        *loop, [](HostFate) { FAIL(); }, socket.string());
    std::unique_ptr<FateQuery> other;
    other = FateQuery::ask(
        *loop, [&](HostFate) { loop->exit(0); }, socket.string());
    dropped.reset();
    EXPECT_EQ(loop->run(), 0);
}

}  // namespace
}  // namespace guestd::systemd
