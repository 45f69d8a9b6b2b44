// SPDX-License-Identifier: LGPL-2.1-or-later
// The probe that is a program of the host: real programs in a folder that only root can write.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "sensors/fd.hpp"
#include "sensors_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

using ::testing::HasSubstr;

class ExecTest : public SensorsTest {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "folders of root are for root";
        // Not in /tmp, which anybody may write.
        std::string name = "/var/lib/guestd-exec-XXXXXX";
        safe_ = ::mkdtemp(name.data());
        program_ = safe_ / "probe";
        options_.exec_pause = 10ms;
    }
    void TearDown() override {
        if (!safe_.empty())
            fs::remove_all(safe_);
    }

    void write_program(const std::string& script) {
        write_file(program_, "#!/bin/sh\ncd " + safe_.string() + "\n" + script + "\n");
        fs::permissions(program_, fs::perms{0755});
    }
    void run() { run(program_); }
    void run(const fs::path& path, WatchId id = kId) {
        sensors().watch({.id = id,
                         .guest = {.uuid = *Uuid::parse("6d1fb7f7-1ed7-4a3b-a0c2-9a2b9f3b1a11")},
                         .name = "odd 'name'\n$(rm)",
                         .what = Probe{.kind = ProbeKind::exec, .target = path.string()},
                         .uri = "qemu:///system"});
    }
    bool until_fails(const std::string& text) { return until_told(false, text); }
    bool until_no_children() {
        return until([] {
            siginfo_t info{};
            return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
        });
    }

    fs::path safe_;
    fs::path program_;
};

/// A pipe with a name that programs hold open: closed when the last of them is gone.
class LifeLine {
public:
    explicit LifeLine(const fs::path& path) {
        ::mkfifo(path.c_str(), 0600);
        fd_ = Fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    }
    /// Somebody has written this: he is alive.
    bool has(const std::string& text) {
        char part[256];
        const auto size = ::read(fd_.number(), part, sizeof part);
        if (size > 0)
            text_.append(part, static_cast<std::size_t>(size));
        return text_.find(text) != std::string::npos;
    }
    bool cut() {
        pollfd poll{fd_.number(), POLLIN, 0};
        ::poll(&poll, 1, 0);
        return (poll.revents & POLLHUP) != 0;
    }

private:
    Fd fd_;
    std::string text_;
};

/// The last thing that a program with children does.
constexpr const char* kHang = "exec 9>line; (sleep 1000 & wait) & echo up >&9; wait\n";

TEST_F(ExecTest, IsRunUntilItHolds) {
    write_program("echo not yet; [ -e good ]");
    run();
    EXPECT_TRUE(until_fails("exit status 1: not yet"));
    write_file(safe_ / "good", "");
    EXPECT_TRUE(until_holds());
    EXPECT_EQ(times_told_[kId], 2);
    EXPECT_TRUE(until_no_children());
}

TEST_F(ExecTest, ThenNoMore) {
    write_program("echo x >>runs");
    run();
    EXPECT_TRUE(until_holds());
    // Long enough for other programs to be run several times.
    program_ = safe_ / "other";
    write_program("echo x >>others; [ $(wc -l <others) -ge 3 ]");
    run(program_, 8);
    EXPECT_TRUE(until_holds(8));
    EXPECT_EQ(read_file(safe_ / "runs"), "x\n");
}

TEST_F(ExecTest, KnowsItsGuestAndNothingElse) {
    ::setenv("SECRET", "x", 1);
    write_program("tr '\\0' '|' </proc/$$/environ >environment; exit 0");
    run();
    EXPECT_TRUE(until_holds());
    EXPECT_EQ(read_file(safe_ / "environment"),
              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|LANG=C.UTF-8|"
              "GUEST_UUID=6d1fb7f7-1ed7-4a3b-a0c2-9a2b9f3b1a11|GUEST_NAME=odd 'name'\n$(rm)|"
              "GUEST_URI=qemu:///system|");
}

TEST_F(ExecTest, IsAProcessLikeAnyOther) {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const auto mask = ::umask(0077);
    const Fd leak{::fcntl(STDERR_FILENO, F_DUPFD, 200)};
    std::ofstream{"/proc/self/oom_score_adj"} << "7";
    write_file(program_,
               "#!/bin/sh\nd=" + safe_.string() +
                   "; readlink /proc/self/cwd >$d/out; { readlink /proc/$$/fd/0; umask; "
                   "grep -E 'SigBlk|SigIgn' /proc/self/status; cat /proc/$$/oom_score_adj; "
                   "ls /proc/$$/fd | grep -c '200'; cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; "
                   "} >>$d/out\nexit 0\n");
    fs::permissions(program_, fs::perms{0755});
    run();
    EXPECT_TRUE(until_holds());
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::umask(mask);
    std::ofstream{"/proc/self/oom_score_adj"} << "0";
    ::signal(SIGPIPE, SIG_DFL);
    std::istringstream out{read_file(safe_ / "out")};
    std::vector<std::string> lines;
    for (std::string line; std::getline(out, line);)
        lines.push_back(line);
    ASSERT_EQ(lines.size(), 9U);
    const auto& number = lines[8];
    EXPECT_THAT(lines, ::testing::ElementsAre("/", "/dev/null", "0022", "SigBlk:\t0000000000000000",
                                              "SigIgn:\t0000000000000000", "0", "0",
                                              number + " " + number + " " + number, number));
}

TEST_F(ExecTest, LastLineIsShown) {
    write_program(
        "head -c 300000 /dev/zero | tr '\\0' x; echo; echo first; echo last >&2; echo; "
        "exit 42");
    run();
    EXPECT_TRUE(until_fails("exit status 42: last"));
}

TEST_F(ExecTest, FloodIsCutOff) {
    write_program("exec yes");
    run();
    EXPECT_TRUE(until_fails("killed by signal 13: y"));
}

TEST_F(ExecTest, KilledOnesAreNamed) {
    write_program("kill -9 $$");
    run();
    EXPECT_TRUE(until_fails("killed by signal 9"));
}

TEST_F(ExecTest, IsKilledWithAllItsChildrenWhenItsTimeIsUp) {
    options_.exec_time = 200ms;
    options_.exec_pause = 1h;
    LifeLine line{safe_ / "line"};
    write_program(kHang);
    run();
    EXPECT_TRUE(until_fails("not done after 0.2 s"));
    EXPECT_TRUE(line.has("up"));
    EXPECT_TRUE(until([&] { return line.cut(); }));
    EXPECT_TRUE(until_no_children());
}

TEST_F(ExecTest, IsKilledWhenNobodyWantsItAnyMore) {
    LifeLine line{safe_ / "line"};
    write_program(kHang);
    run();
    EXPECT_TRUE(until([&] { return line.has("up"); }));
    sensors().unwatch(kId);
    EXPECT_TRUE(until([&] { return line.cut(); }));
    EXPECT_TRUE(until_no_children());
    EXPECT_EQ(times_told_[kId], 0);
}

TEST_F(ExecTest, LeavesNothingBehind) {
    LifeLine line{safe_ / "line"};
    write_program("exec 9>line; sleep 1000 & echo up >&9; exit 0");
    run();
    EXPECT_TRUE(until_holds());
    EXPECT_TRUE(until([&] { return line.cut(); }));
}

TEST_F(ExecTest, FewAtOnceAndAllInTurn) {
    // Each waits until eight are there: a ninth one would be seen.
    write_program(
        "mkdir $$.runs; n=$(ls -d *.runs | wc -l); echo $n >>most; "
        "while [ ! -e go ] && [ $n -lt 8 ]; do n=$(ls -d *.runs | wc -l); done; "
        ": >go; rmdir $$.runs; exit 0");
    for (WatchId id = 1; id <= 12; ++id)
        run(program_, id);
    for (WatchId id = 1; id <= 12; ++id)
        EXPECT_TRUE(until_holds(id)) << id;
    std::istringstream counts{read_file(safe_ / "most")};
    for (int count = 0; counts >> count;)
        EXPECT_LE(count, 8);
}

struct Refusal {
    const char* name;
    std::function<void(const fs::path& folder, const fs::path& program)> spoil;
    const char* text;
};
class Refused : public ExecTest, public ::testing::WithParamInterface<Refusal> {};
TEST_P(Refused, IsNotRun) {
    program_ = safe_ / "folder" / "probe";
    write_program("echo ran >>ran; exit 0");
    GetParam().spoil(program_.parent_path(), program_);
    run();
    EXPECT_TRUE(until([&] { return times_told_[kId] > 0; }));
    EXPECT_FALSE(told_[kId].first);
    EXPECT_THAT(told_[kId].second, HasSubstr(GetParam().text));
    EXPECT_FALSE(fs::exists(safe_ / "ran"));
}

constexpr const char* kWritable = " can be written by others than its owner";
INSTANTIATE_TEST_SUITE_P(
    Programs, Refused,
    ::testing::Values(
        Refusal{"group_writes_it",
                [](auto&, auto& program) { fs::permissions(program, fs::perms{0775}); },
                "/folder/probe can be written by others than its owner"},
        Refusal{"others_write_it",
                [](auto&, auto& program) { fs::permissions(program, fs::perms{0757}); }, kWritable},
        Refusal{"folder_of_all",
                [](auto& folder, auto&) { fs::permissions(folder, fs::perms{0777}); },
                "/folder can be written by others than its owner"},
        Refusal{"sticky_folder_of_all",
                [](auto& folder, auto&) { fs::permissions(folder, fs::perms{01777}); },
                "/folder can be written by others than its owner"},
        Refusal{"folder_above_it",
                [](auto& folder, auto&) { fs::permissions(folder.parent_path(), fs::perms{0777}); },
                kWritable},
        Refusal{"of_somebody_else",
                [](auto&, auto& program) { EXPECT_EQ(::chown(program.c_str(), 65534, 65534), 0); },
                "/probe does not belong to root"},
        Refusal{"folder_of_somebody_else",
                [](auto& folder, auto&) { EXPECT_EQ(::chown(folder.c_str(), 65534, 65534), 0); },
                "/folder does not belong to root"},
        Refusal{"link_into_a_folder_of_all",
                [](auto& folder, auto& program) {
                    const auto open = folder.parent_path() / "open";
                    fs::create_directory(open);
                    fs::rename(program, open / "real");
                    fs::create_symlink(open / "real", program);
                    fs::permissions(open, fs::perms{0777});
                },
                "/open can be written by others than its owner"},
        Refusal{"link_in_a_folder_of_all",
                [](auto& folder, auto& program) {
                    fs::rename(program, folder.parent_path() / "real");
                    fs::create_symlink("../real", program);
                    fs::permissions(folder, fs::perms{0777});
                },
                "/folder can be written by others than its owner"},
        Refusal{"missing", [](auto&, auto& program) { fs::remove(program); },
                "/probe does not exist"},
        Refusal{"not_to_be_run",
                [](auto&, auto& program) { fs::permissions(program, fs::perms{0644}); },
                "/probe may not be run"},
        Refusal{"no_program", [](auto&, auto& program) { std::ofstream{program} << "\177ELF"; },
                "/probe is no program"},
        Refusal{"folder",
                [](auto&, auto& program) {
                    fs::remove(program);
                    fs::create_directory(program);
                },
                "/probe is no file"}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST_F(ExecTest, ThroughALinkFromRootToRoot) {
    write_program("exit 0");
    fs::create_symlink("probe", safe_ / "link");
    run(safe_ / "link");
    EXPECT_TRUE(until_holds());
}

TEST_F(ExecTest, PathThatIsTooLong) {
    run("/" + std::string(5000, 'x'));
    EXPECT_TRUE(until_fails("its path is not absolute, or too long"));
}

}  // namespace
}  // namespace guestd::sensors::testing
