// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One way to systemd: a connection, and all questions asked at once over it.

#include <systemd/sd-bus.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "systemd/fate_evidence.hpp"

namespace guestd::systemd {

class Conversation {
public:
    /// Over the system bus; logind is asked too.
    static std::unique_ptr<Conversation> over_system_bus(Loop& loop, std::function<void()> done);
    /// To the user's own systemd, over the user's bus.
    static std::unique_ptr<Conversation> over_user_bus(Loop& loop, std::function<void()> done);
    /// Directly to systemd.
    static std::unique_ptr<Conversation> over_socket(Loop& loop, const std::string& path,
                                                     std::function<void()> done);
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    /// What is known by now; complete, or as good as it gets, once `done` has been called.
    const Evidence& evidence() const { return evidence_; }

private:
    struct CloseBus {
        // Not flush_close: flushing blocks.
        void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
    };
    struct UnrefSlot {
        void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
    };
    using Read = int (*)(sd_bus_message* reply, Evidence& evidence);
    struct Question {
        Conversation* asker;
        const char* what;
        Read read;
        bool needed;
        std::unique_ptr<sd_bus_slot, UnrefSlot> slot;
    };

    Conversation(Loop& loop, std::function<void()> done);
    void start(int opened, sd_bus* bus, const char* what);
    void ask_manager(const char* destination);
    void ask_logind();
    void ask(int made, sd_bus_message* call, const char* what, Read read, bool needed);
    void answered();
    void problem(const std::string& text);
    static int on_reply(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;

    Loop& loop_;
    Evidence evidence_;
    TimeSource done_;  // `done` is called from here, never from inside sd-bus
    std::unique_ptr<sd_bus, CloseBus> bus_;
    std::list<Question> questions_;  // declared after the bus that their slots belong to
    std::size_t unanswered_ = 0;
};

}  // namespace guestd::systemd
