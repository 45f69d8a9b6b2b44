// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/folder_watch.hpp"

#include <libvirt/libvirt.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

namespace guestd::libvirt {

namespace {

constexpr std::uint32_t kMask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/// Folders on the way may appear while we look for them; a way is seldom longer than this.
constexpr int kMostTries = 8;
/// For a dozen events; more come with the next turn of the loop.
constexpr std::size_t kReadBytes = 4096;

}  // namespace

/// What the event thread needs: it may still be at it when its owner is gone.
class FolderWatch::Ear {
public:
    explicit Ear(Callback callback)
        : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), callback_(std::move(callback)) {}
    ~Ear() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;

    int fd() const { return fd_; }

    /// From now on `watch` is the one that counts. `next`: it is on a folder above ours, where only
    /// this name matters; "" = on ours.
    void listen(int watch, const std::string& next) {
        const std::lock_guard lock{mutex_};
        if (watch_ >= 0 && watch_ != watch) {
            ::inotify_rm_watch(fd_, watch_);
        }
        watch_ = watch;
        next_ = next;
    }

    void shut() { shut_ = true; }

    void hear() {
        alignas(inotify_event) std::array<char, kReadBytes> events;
        const auto size = ::read(fd_, events.data(), events.size());
        for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size);) {
            inotify_event event;
            std::memcpy(&event, events.data() + at, sizeof event);
            // The name is filled up with NULs.
            const char* name = events.data() + at + sizeof event;
            at += sizeof event + event.len;
            if ((event.mask & IN_IGNORED) == 0) {
                tell(event.wd, event.len > 0 ? name : "");
            }
        }
    }

private:
    void tell(int watch, const std::string& name) {
        std::unique_lock lock{mutex_};
        const bool above = watch == watch_ && !next_.empty();
        const bool matters = !above || name.empty() || name == next_;
        lock.unlock();  // the callback may be the end of our owner
        if (matters && !shut_) {
            callback_(above ? "" : name);
        }
    }

    const int fd_;
    const Callback callback_;
    std::atomic<bool> shut_ = false;
    std::mutex mutex_;
    int watch_ = -1;
    std::string next_;
};

FolderWatch::FolderWatch(std::filesystem::path folder, Callback callback)
    : folder_(std::move(folder)), ear_(std::make_shared<Ear>(std::move(callback))) {
    using Shared = std::shared_ptr<Ear>;
    auto opaque = std::make_unique<Shared>(ear_);
    const auto hear = [](int, int, int, void* shared) noexcept {
        try {
            (*static_cast<Shared*>(shared))->hear();
        } catch (...) {
            // Out of memory. Whoever must know looks now and then.
        }
    };
    if (ear_->fd() >= 0) {
        handle_ =
            virEventAddHandle(ear_->fd(), VIR_EVENT_HANDLE_READABLE, hear, opaque.get(),
                              [](void* shared) noexcept { delete static_cast<Shared*>(shared); });
    }
    if (handle_ >= 0) {
        static_cast<void>(opaque.release());
    }
}

FolderWatch::~FolderWatch() {
    ear_->shut();
    if (handle_ >= 0) {
        virEventRemoveHandle(handle_);
    }
}

void FolderWatch::rest() {
    ear_->listen(-1, "");
}

void FolderWatch::settle() {
    for (int tries = 0; handle_ >= 0 && tries < kMostTries; ++tries) {
        auto at = folder_;
        std::filesystem::path next;
        int watch = ::inotify_add_watch(ear_->fd(), at.c_str(), kMask);
        while (watch < 0 && (errno == ENOENT || errno == ENOTDIR) && at.has_relative_path()) {
            next = at.filename();
            at = at.parent_path();
            watch = ::inotify_add_watch(ear_->fd(), at.c_str(), kMask);
        }
        ear_->listen(watch, next);
        // One that was made before its parent was watched is not told of.
        if (next.empty() || ::access((at / next).c_str(), F_OK) != 0) {
            return;
        }
    }
}

}  // namespace guestd::libvirt
