// SPDX-License-Identifier: LGPL-2.1-or-later
// What the journal, and people at a terminal, get to see.
#include <gmock/gmock.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "systemd/escape.hpp"
#include "systemd/journal.hpp"
#include "systemd/log.hpp"
#include "systemd/message_ids.hpp"

namespace guestd::systemd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct EscapeCase {
    std::string text;
    std::string shown;
};
class Escape : public ::testing::TestWithParam<EscapeCase> {};

TEST_P(Escape, Shows) {
    EXPECT_EQ(escaped(GetParam().text, 100), GetParam().shown);
}
INSTANTIATE_TEST_SUITE_P(Cases, Escape,
                         ::testing::Values(EscapeCase{"", ""},
                                           EscapeCase{"plain name", "plain name"},
                                           EscapeCase{"Zürich 東京", "Zürich 東京"},
                                           EscapeCase{"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
                                           EscapeCase{std::string{"\0x", 2}, "\\x00x"},
                                           EscapeCase{"\x1b]0;title\a", "\\x1b]0;title\\x07"},
                                           EscapeCase{"\xc2\x9b"
                                                      "2J",
                                                      "\\xc2\\x9b2J"},
                                           EscapeCase{"\xe2\x80\xae"
                                                      "evil",
                                                      "\\xe2\\x80\\xaeevil"},
                                           EscapeCase{"\xff\xc3", "\\xff\\xc3"},
                                           EscapeCase{"back\\slash \\x1b", "back\\slash \\\\x1b"}));

TEST(EscapeLimit, CutsBetweenCharacters) {
    EXPECT_EQ(escaped("abcd", 4), "abcd");
    EXPECT_EQ(escaped("abcde", 4), "abcd…");
    EXPECT_EQ(escaped("abcé", 4), "abc…");
    EXPECT_EQ(escaped("a\nb", 4), "a…");
}

const LogRecord kRecord{
    .level = LogLevel::warning,
    .message = "guest a\nb failed",
    .message_id = message_ids::kGuestDone,
    .fields = {{fields::kRun, "12"}, {fields::kGuestName, "a\nb"}, {fields::kOutcome, ""}}};

TEST(JournalFields, AreThoseOfTheRecord) {
    EXPECT_THAT(
        journal_fields(kRecord),
        ElementsAre("MESSAGE=guest a\\x0ab failed", "PRIORITY=4", "SYSLOG_IDENTIFIER=guestd",
                    "MESSAGE_ID=" + std::string{message_ids::kGuestDone}, "GUESTD_RUN=12",
                    "GUESTD_GUEST_NAME=a\nb"));
}

TEST(JournalFields, LevelsAreSyslogPriorities) {
    std::string priorities;
    for (const auto level : {LogLevel::debug, LogLevel::info, LogLevel::notice, LogLevel::warning,
                             LogLevel::error, LogLevel::critical})
        priorities += journal_fields({.level = level})[1].back();
    EXPECT_EQ(priorities, "765432");
}

TEST(JournalFields, AreBounded) {
    const std::string large(1 << 20, 'x');
    std::size_t size = 0;
    for (const auto& field :
         journal_fields({.message = large, .fields = {{fields::kGuestName, large}}}))
        size += field.size();
    EXPECT_LT(size, 6000U);
}

TEST(MessageIds, EachKindHasItsOwnAndAnEntryInTheCatalog) {
    using namespace message_ids;
    std::set<std::string> ids;
    for (const auto id : {kStarted, kConfigRefused, kDegraded, kReloaded, kStopping, kStoreRemark,
                          kFault, kUriAnswers})
        ids.emplace(id);
    for (int kind = 0; kind <= static_cast<int>(NoticeKind::remark); ++kind)
        ids.emplace(of(static_cast<NoticeKind>(kind)));
    EXPECT_EQ(ids.size(), 18U);
    const auto root = std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path();
    std::ifstream catalog{root / "systemd" / "guestd.catalog"};
    std::set<std::string> explained;
    for (std::string line; std::getline(catalog, line);)
        if (line.starts_with("-- "))
            explained.insert(line.substr(3));
    EXPECT_EQ(ids, explained);
}

TEST(StderrIsJournal, OnlyWhenTheStreamIsOurs) {
    struct stat status {};
    ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
    ::unsetenv("JOURNAL_STREAM");
    EXPECT_FALSE(stderr_is_journal());
    ::setenv("JOURNAL_STREAM", "1:2", 1);
    EXPECT_FALSE(stderr_is_journal());
    const auto ours = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    ::setenv("JOURNAL_STREAM", ours.c_str(), 1);
    EXPECT_TRUE(stderr_is_journal());
    ::unsetenv("JOURNAL_STREAM");
}

TEST(Console, LinesAreEscapedAndFiltered) {
    ::testing::internal::CaptureStderr();
    log_to(LogTarget::console, LogLevel::notice);
    log(kRecord);
    log({.level = LogLevel::info, .message = "too fine"});
    log({.level = LogLevel::critical, .message = "braces {} stay"});
    spdlog::error("from {}", "elsewhere");
    const std::string text = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(text, AllOf(HasSubstr("warning guest a\\x0ab failed\n"), Not(HasSubstr("too fine")),
                            HasSubstr("critical braces {} stay\n"),
                            HasSubstr("error from elsewhere\n"), Not(HasSubstr("\x1b["))));
}

/// Stands in for journald, in a mount namespace of its own; prints what it was sent.
[[noreturn]] void journal_child(int out) {
    constexpr int kSkip = 77;
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("guestd-test", "/run", "tmpfs", 0, nullptr) != 0)
        ::_exit(kSkip);
    ::mkdir("/run/systemd", 0755);
    ::mkdir("/run/systemd/journal", 0755);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        ::_exit(1);
    log_to(LogTarget::journal, LogLevel::info);
    log(kRecord);
    log({.level = LogLevel::debug, .message = "too fine"});
    spdlog::warn("by spdlog");
    char text[4096];
    for (ssize_t size = 0; (size = ::recv(fd, text, sizeof text, 0)) > 0;)
        if (::write(out, text, static_cast<std::size_t>(size)) != size ||
            ::write(out, "--\n", 3) != 3)
            ::_exit(1);
    ::_exit(0);
}

TEST(Journal, GetsTheFieldsInItsOwnProtocol) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "a mount namespace needs root";
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0)
        journal_child(ends[1]);
    ::close(ends[1]);
    std::string sent;
    char part[4096];
    for (ssize_t size = 0; (size = ::read(ends[0], part, sizeof part)) > 0;)
        sent.append(part, static_cast<std::size_t>(size));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 77)
        GTEST_SKIP() << "mount namespaces are not allowed here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_THAT(sent, HasSubstr("MESSAGE=guest a\\x0ab failed\nPRIORITY=4\n"));
    EXPECT_THAT(sent, HasSubstr(std::string{"GUESTD_GUEST_NAME\n\3\0\0\0\0\0\0\0a\nb\n", 30}));
    EXPECT_THAT(sent, Not(HasSubstr("too fine")));
    EXPECT_THAT(sent, HasSubstr("--\nMESSAGE=by spdlog\nPRIORITY=4\n"));
    EXPECT_THAT(sent, Not(HasSubstr("CODE_FILE")));
}

TEST(Journal, ValuesWithLineEndsGoWithTheirLength) {
    const std::string length{"\x03\0\0\0\0\0\0\0", 8};
    const auto sent = journal_datagram({"A=1", "B=x\ny", "no field", "C="});
    EXPECT_EQ(sent, "A=1\nB\n" + length + "x\ny\nC=\n");
}

/// Waited for, it would hold this test for ever.
TEST(Journal, OneThatHangsHoldsNobody) {
    std::string folder =
        (std::filesystem::temp_directory_path() / "guestd-journal-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const std::string path = folder + "/socket";
    const int journald = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(journald, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const auto received = [journald] {
        std::string entry(64, '\0');
        const auto size = ::recv(journald, entry.data(), entry.size(), MSG_DONTWAIT);
        return entry.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size));
    };
    for (int line = 0; line < 5000; ++line)
        send_to_journal({"MESSAGE=filler"}, path);
    EXPECT_EQ(received(), "MESSAGE=filler\n");
    while (!received().empty()) {
    }
    send_to_journal({"MESSAGE=there again"}, path);
    EXPECT_EQ(received(), "MESSAGE=there again\n");
    ::close(journald);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace guestd::systemd
