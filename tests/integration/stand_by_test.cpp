// SPDX-License-Identifier: LGPL-2.1-or-later
/// The process that finishes a drain where guestd could not: what it does when it is to stop.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "store_support.hpp"

namespace guestd::test {
namespace {

namespace fs = std::filesystem;

class StandByTest : public ::testing::Test {
protected:
    ~StandByTest() override {
        if (child_)
            end(SIGKILL);
    }

    fs::path mark() const { return folder_.path() / "drained"; }
    fs::path said() const { return folder_.path() / "said"; }

    /// Waits for its stop, to become `program`. The stop may be sent at once: until it is waited
    /// for it is pending.
    void stand_by(const std::vector<std::string>& program) {
        // …/tests/integration_tests and …/stand-by
        const auto tests = fs::read_symlink("/proc/self/exe").parent_path();
        std::vector<std::string> words{tests.parent_path() / "stand-by", mark()};
        words.insert(words.end(), program.begin(), program.end());
        std::vector<char*> argv;
        for (auto& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        sigset_t stop;
        sigset_t before;
        sigemptyset(&stop);
        sigaddset(&stop, SIGTERM);
        sigprocmask(SIG_BLOCK, &stop, &before);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said().c_str(),
                                         O_WRONLY | O_CREAT, 0600);
        pid_t child = 0;
        const int failed = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        sigprocmask(SIG_SETMASK, &before, nullptr);
        ASSERT_EQ(failed, 0);
        child_ = child;
    }
    /// waitpid's status.
    int end(int signal = SIGTERM) {
        int status = 0;
        kill(*child_, signal);
        waitpid(*child_, &status, 0);
        child_.reset();
        return status;
    }
    std::string text() const { return store::testing::slurp(said()); }

    const store::testing::TempDir folder_;
    std::optional<pid_t> child_;
};

TEST_F(StandByTest, EndsWhereTheDrainIsDone) {
    stand_by({"/bin/grep", "Name", "/proc/self/status"});
    std::ofstream{mark()};
    EXPECT_EQ(end(), 0);
    EXPECT_EQ(text(), "");
}

TEST_F(StandByTest, BecomesTheProgramWhereItIsNot) {
    // Not a shell: that would clear the mask itself.
    stand_by({"/bin/grep", "SigBlk", "/proc/self/status"});
    EXPECT_EQ(end(), 0);
    EXPECT_EQ(text(), "SigBlk:\t0000000000000000\n") << "the program must hear its own stop";
}

TEST_F(StandByTest, AStopByAnybodyButItsParentIsNotHeard) {
    stand_by({"/bin/grep", "SigBlk", "/proc/self/status"});
    const auto pid = std::to_string(*child_);
    ASSERT_EQ(std::system(("kill -TERM " + pid).c_str()), 0);
    // Consumed when no longer pending.
    const auto status = "/proc/" + pid + "/status";
    const auto waits = "until grep -q 'ShdPnd:.0*$' " + status + "; do :; done; cat /proc/" + pid +
                       "/comm | grep -q stand-by";
    EXPECT_EQ(std::system(waits.c_str()), 0) << "it has become the program";
    std::ofstream{mark()};
    EXPECT_EQ(end(), 0);
    EXPECT_EQ(text(), "");
}

TEST_F(StandByTest, ItsResultIsTheProgramsOwn) {
    stand_by({"/bin/grep", "no such line", "/proc/self/status"});
    EXPECT_EQ(WEXITSTATUS(end()), 1);
    stand_by({"/bin/grep", "no such file", "/proc/self/none", "-s"});
    EXPECT_EQ(WEXITSTATUS(end()), 2);
}

TEST_F(StandByTest, AMissingProgramIsAFailure) {
    stand_by({"/no/such/program"});
    EXPECT_EQ(WEXITSTATUS(end()), 1);
}

}  // namespace
}  // namespace guestd::test
