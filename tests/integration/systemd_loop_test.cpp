// SPDX-License-Identifier: LGPL-2.1-or-later
// The loop, its sources, and the inbox.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "systemd/host.hpp"
#include "systemd/inbox.hpp"
#include "systemd/loop.hpp"

namespace guestd::systemd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class LoopTest : public ::testing::Test {
protected:
    std::unique_ptr<Loop> loop = std::move(*Loop::create());
};

TEST_F(LoopTest, RunReturnsTheCodeOfExit) {
    const auto source = loop->add_defer("end", [&] { loop->exit(7); });
    EXPECT_EQ(loop->run(), 7);
}

TEST_F(LoopTest, TimersFireInTheOrderOfTheirTimesAndNotBefore) {
    std::vector<int> fired;
    const TimePoint start = loop->now();
    TimePoint late_at{};
    auto late = loop->add_time(start + 20ms, "late", [&] {
        fired.push_back(3);
        late_at = loop->now();
        loop->exit(0);
    });
    auto early = loop->add_time(start + 5ms, "early", [&] { fired.push_back(2); });
    auto past = loop->add_time(TimePoint{}, "past", [&] { fired.push_back(1); });
    auto never = loop->add_time(kNever, "never", [&] { fired.push_back(4); });
    loop->run();
    EXPECT_THAT(fired, ElementsAre(1, 2, 3));
    EXPECT_GE(late_at, start + 20ms);
}

TEST_F(LoopTest, TimerIsArmedAgainAndDisarmed) {
    int fired = 0;
    TimeSource again;
    auto disarmed = std::move(*loop->add_time(loop->now(), "disarmed", [&] { loop->exit(1); }));
    disarmed.disarm();
    again = std::move(*loop->add_time(loop->now(), "again", [&] {
        if (++fired == 3)
            loop->exit(0);
        else
            again.arm(loop->now());
    }));
    EXPECT_EQ(loop->run(), 0);
    EXPECT_EQ(fired, 3);
}

TEST_F(LoopTest, ClockIsBoottime) {
    timespec before{};
    timespec after{};
    clock_gettime(CLOCK_BOOTTIME, &before);
    const auto now = loop->now().time_since_epoch();
    clock_gettime(CLOCK_BOOTTIME, &after);
    EXPECT_GE(now, std::chrono::seconds{before.tv_sec});
    EXPECT_LE(now, std::chrono::seconds{after.tv_sec + 1});
}

TEST_F(LoopTest, SignalsAreCallbacks) {
    auto source = loop->add_signal(SIGUSR1, "signal", [&] { loop->exit(5); });
    ::kill(::getpid(), SIGUSR1);
    EXPECT_EQ(loop->run(), 5);
}

TEST_F(LoopTest, IoTellsEvents) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    std::uint32_t seen = 0;
    auto source = loop->add_io(ends[0], EPOLLIN, "pipe", [&](std::uint32_t revents) {
        seen = revents;
        loop->exit(0);
    });
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    loop->run();
    EXPECT_EQ(seen, static_cast<std::uint32_t>(EPOLLIN));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(LoopTest, DestroyedSourceIsSilent) {
    auto gone = loop->add_defer("gone", [&] { loop->exit(1); });
    gone->reset();
    const auto end = loop->add_time(loop->now() + 1ms, "end", [&] { loop->exit(0); });
    EXPECT_EQ(loop->run(), 0);
}

TEST_F(LoopTest, SourceMayDestroyItselfInItsCallback) {
    Source self;
    const auto value = std::make_shared<int>(1);
    self = std::move(*loop->add_defer("self", [&self, this, value] {
        self.reset();
        // What the callback owns is still there.
        EXPECT_EQ(value.use_count(), 2);
        loop->exit(*value);
    }));
    EXPECT_EQ(loop->run(), 1);
    EXPECT_EQ(value.use_count(), 1);
}

TEST_F(LoopTest, AssigningASourceRemovesTheOneBefore) {
    Source source = std::move(*loop->add_defer("first", [&] { loop->exit(1); }));
    source = std::move(*loop->add_defer("second", [&] { loop->exit(2); }));
    EXPECT_EQ(loop->run(), 2);
}

TEST_F(LoopTest, ExceptionEndsTheLoopAndIsTold) {
    std::string told;
    loop->on_fault(
        [&](const char* source, const char* what) { told = std::string{source} + ": " + what; });
    const auto source =
        loop->add_time(loop->now(), "thrower", [] { throw std::runtime_error{"oh"}; });
    const auto end = loop->add_time(loop->now() + 10s, "end", [&] { loop->exit(0); });
    EXPECT_EQ(loop->run(), -EIO);
    EXPECT_EQ(told, "thrower: oh");
}

TEST_F(LoopTest, BadFdIsAnError) {
    EXPECT_FALSE(loop->add_io(-1, EPOLLIN, "no fd", [](std::uint32_t) {}).has_value());
}

TEST(Host, BootIdIsThatOfTheKernel) {
    const auto id = boot_id();
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(id->size(), 32U);
    EXPECT_EQ(id->find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(*id, *boot_id());
}

CallReturned returned(CallId id) {
    return CallReturned{.id = id};
}

std::vector<CallId> ids(const std::vector<Event>& batch) {
    std::vector<CallId> found;
    for (const auto& event : batch)
        found.push_back(std::get<CallReturned>(event).id);
    return found;
}

TEST_F(LoopTest, InboxGivesABatchInOrder) {
    std::vector<std::vector<CallId>> batches;
    const auto inbox = std::move(*Inbox::create(*loop, [&](std::vector<Event> batch) {
        batches.push_back(ids(batch));
        loop->exit(0);
    }));
    const EventSink sink = inbox->sink();
    for (CallId id : {1, 2, 3})
        sink(returned(id));
    loop->run();
    EXPECT_THAT(batches, ElementsAre(ElementsAre(1, 2, 3)));
}

TEST_F(LoopTest, InboxWakesAgainForWhatItsHandlerPosts) {
    std::vector<CallId> seen;
    EventSink sink;
    const auto inbox = std::move(*Inbox::create(*loop, [&](std::vector<Event> batch) {
        for (const CallId id : ids(batch))
            seen.push_back(id);
        if (seen.size() == 3)
            loop->exit(0);
        else
            sink(returned(seen.back() + 1));
    }));
    sink = inbox->sink();
    sink(returned(1));
    loop->run();
    EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(LoopTest, InboxTakesFromManyThreads) {
    constexpr CallId kEach = 5000;
    constexpr CallId kThreads = 4;
    std::vector<CallId> last(kThreads, 0);
    CallId total = 0;
    bool in_order = true;
    const auto inbox = std::move(*Inbox::create(*loop, [&](std::vector<Event> batch) {
        for (const CallId id : ids(batch)) {
            in_order = in_order && last[id / kEach] <= id;
            last[id / kEach] = id;
        }
        total += batch.size();
        if (total == kEach * kThreads)
            loop->exit(0);
    }));
    std::vector<std::jthread> threads;
    for (CallId thread = 0; thread < kThreads; ++thread)
        threads.emplace_back([sink = inbox->sink(), thread] {
            for (CallId id = 0; id < kEach; ++id)
                sink(returned(thread * kEach + id));
        });
    loop->run();
    EXPECT_TRUE(in_order);
}

TEST_F(LoopTest, SinkOutlivesItsInbox) {
    int seen = 0;
    auto inbox = std::move(*Inbox::create(*loop, [&](std::vector<Event>) { ++seen; }));
    const EventSink sink = inbox->sink();
    sink(returned(1));
    inbox.reset();
    sink(returned(2));
    // What nobody will fetch is not kept.
    const std::shared_ptr<const PolicySource> policy{nullptr, [](const PolicySource*) {}};
    sink(PolicyReplaced{policy});
    EXPECT_EQ(policy.use_count(), 1);
    const auto end = loop->add_time(loop->now() + 1ms, "end", [&] { loop->exit(0); });
    loop->run();
    EXPECT_EQ(seen, 0);
}

}  // namespace
}  // namespace guestd::systemd
