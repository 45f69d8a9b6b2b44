// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/inbox.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

namespace guestd::systemd {

struct Inbox::Box {
    explicit Box(int eventfd) : fd(eventfd) {}
    ~Box() { ::close(fd); }
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    /// No memory for an event means that the core would be told less than happened: the process
    /// ends (noexcept), is restarted, and reads the state anew.
    void post(Event event) noexcept {
        const std::lock_guard lock{mutex};
        if (closed)
            return;
        events.push_back(std::move(event));
        // Only the first of a batch has to wake the loop. The counter cannot overflow so.
        const std::uint64_t one = 1;
        if (events.size() == 1) [[maybe_unused]]
            const auto written = ::write(fd, &one, sizeof one);
    }

    std::vector<Event> take() {
        const std::lock_guard lock{mutex};
        std::uint64_t count = 0;
        [[maybe_unused]] const auto drained = ::read(fd, &count, sizeof count);
        return std::exchange(events, {});
    }

    const int fd;
    std::mutex mutex;
    std::vector<Event> events;
    bool closed = false;
};

Result<std::unique_ptr<Inbox>> Inbox::create(Loop& loop, Handler handler) {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return fail(ErrorCode::internal, std::string{"making the inbox: "} + std::strerror(errno));
    auto box = std::make_shared<Box>(fd);
    auto source = loop.add_io(fd, EPOLLIN, "inbox",
                              [box = box.get(), handler = std::move(handler)](std::uint32_t) {
                                  if (auto events = box->take(); !events.empty())
                                      handler(std::move(events));
                              });
    if (!source)
        return tl::unexpected<Error>{source.error()};
    std::unique_ptr<Inbox> inbox{new Inbox{std::move(box)}};
    inbox->source_ = std::move(*source);
    return inbox;
}

Inbox::~Inbox() {
    const std::lock_guard lock{box_->mutex};
    box_->closed = true;
    box_->events.clear();
}

EventSink Inbox::sink() const {
    return [box = box_](Event event) { box->post(std::move(event)); };
}

}  // namespace guestd::systemd
