// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/history_reader.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace guestd::daemon {

struct HistoryReader::Shared {
    Shared(std::string dir, int fd) : state_dir(std::move(dir)), event_fd(fd) {}
    ~Shared() { ::close(event_fd); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void run();
    void give(Answer answer);
    std::vector<Answer> take_answers();

    const std::string state_dir;
    const int event_fd;
    std::mutex mutex;
    std::condition_variable asked;
    std::deque<Question> questions;
    std::vector<Answer> answers;
    bool over = false;
};

void HistoryReader::Shared::run() {
    std::unique_lock lock{mutex};
    for (;;) {
        asked.wait(lock, [this] { return over || !questions.empty(); });
        if (over)
            return;
        auto question = std::move(questions.front());
        questions.pop_front();
        lock.unlock();
        // Opened anew each time: the file may have been set aside, and questions are rare.
        auto history = store::History::open(state_dir);
        auto answer =
            history ? question(history->get()) : question(tl::unexpected<Error>{history.error()});
        lock.lock();
        give(std::move(answer));
    }
}

/// With the mutex held.
void HistoryReader::Shared::give(Answer answer) {
    answers.push_back(std::move(answer));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd, &one, sizeof one);
}

std::vector<HistoryReader::Answer> HistoryReader::Shared::take_answers() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(event_fd, &count, sizeof count);
    const std::lock_guard lock{mutex};
    return std::exchange(answers, {});
}

Result<std::unique_ptr<HistoryReader>> HistoryReader::create(systemd::Loop& loop,
                                                             std::string state_dir) {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return fail(ErrorCode::io, std::string{"eventfd: "} + std::strerror(errno));
    auto shared = std::make_shared<Shared>(std::move(state_dir), fd);
    auto source = loop.add_io(fd, EPOLLIN, "history answers", [shared](std::uint32_t) {
        for (auto& answer : shared->take_answers())
            answer();
    });
    if (!source)
        return tl::unexpected<Error>{source.error()};
    std::unique_ptr<HistoryReader> reader{new HistoryReader{std::move(shared)}};
    reader->source_ = std::move(*source);
    return reader;
}

HistoryReader::HistoryReader(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

HistoryReader::~HistoryReader() {
    source_.reset();
    const std::lock_guard lock{shared_->mutex};
    shared_->over = true;
    shared_->asked.notify_all();
}

void HistoryReader::ask(Question question) {
    if (!started_) {
        try {
            std::thread{[shared = shared_] { shared->run(); }}.detach();
            started_ = true;
        } catch (const std::system_error& error) {
            // The host may have room for it with the next question.
            const std::lock_guard lock{shared_->mutex};
            return shared_->give(question(fail(
                ErrorCode::unavailable, std::string{"no thread to read with: "} + error.what())));
        }
    }
    const std::lock_guard lock{shared_->mutex};
    shared_->questions.push_back(std::move(question));
    shared_->asked.notify_one();
}

}  // namespace guestd::daemon
