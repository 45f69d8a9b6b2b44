// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Work that may hang for ever, done by threads that nobody ever waits for.
///
/// Each errand has a detached thread of its own, which owns everything that it touches. A thread
/// that is stuck on a dead file system keeps its place until it comes back, so there are never more
/// than the places; an errand that finds none waits in the queue. Whoever sent an errand sets its
/// own limit to its patience.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "sensors/places.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors {

class Errands {
public:
    /// The wish to hear of an errand's end. Destroying it drops the errand if it has not begun, and
    /// else its result. Must not outlive its Errands.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept
            : errands_(std::exchange(other.errands_, nullptr)), id_(other.id_) {}
        Ticket& operator=(Ticket&& other) noexcept {
            std::swap(errands_, other.errands_);
            std::swap(id_, other.id_);
            return *this;
        }
        ~Ticket() {
            if (errands_ != nullptr)
                errands_->forget(id_);
        }

    private:
        friend class Errands;
        Ticket(Errands* errands, std::uint64_t id) : errands_(errands), id_(id) {}
        Errands* errands_ = nullptr;
        std::uint64_t id_ = 0;
    };

    /// Throws when the system gives no eventfd.
    Errands(systemd::Loop& loop, unsigned most);
    ~Errands();
    Errands(const Errands&) = delete;
    Errands& operator=(const Errands&) = delete;

    /// `work` runs on another thread and must own all that it uses; `done` on the loop, with
    /// nothing when `work` threw, or no thread could be had.
    template <class T>
    [[nodiscard]] Ticket send(std::function<T()> work, std::function<void(std::optional<T>)> done) {
        auto result = std::make_shared<std::optional<T>>();
        return send_plain([work = std::move(work), result] { *result = work(); },
                          [done = std::move(done), result] { done(std::move(*result)); });
    }

private:
    struct Box;
    struct Errand {
        std::function<void()> work;
        std::function<void()> done;
        Places::Place place;
        bool running = false;
    };
    Ticket send_plain(std::function<void()> work, std::function<void()> done);
    void begin(std::uint64_t id);
    void forget(std::uint64_t id);
    void collect();

    Places places_;
    std::shared_ptr<Box> box_;
    std::uint64_t next_ = 1;
    std::unordered_map<std::uint64_t, Errand> errands_;
    systemd::IoSource source_;
};

}  // namespace guestd::sensors
