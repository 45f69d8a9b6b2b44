// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// polkit's place on the private bus: notes what it is asked, and answers as the test says.

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace guestd::bus::test {

class FakePolkit {
public:
    struct Asked {
        std::string subject_kind;
        std::string subject_name;
        std::string action;
        std::uint32_t flags = 0;
    };
    enum class Verdict { yes, no, challenge, silence };

    /// Returns once polkit's name is taken. `judge` runs on the fake's own thread.
    explicit FakePolkit(std::function<Verdict(const Asked&)> judge);
    ~FakePolkit();
    FakePolkit(const FakePolkit&) = delete;
    FakePolkit& operator=(const FakePolkit&) = delete;

    std::vector<Asked> asked() const;
    void wait_until_asked(std::size_t times) const;

private:
    static int on_check(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept;
    static const sd_bus_vtable kVtable[];
    void loop();

    std::function<Verdict(const Asked&)> judge_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<Asked> asked_;
    std::vector<sd_bus_message*> unanswered_;
    bool ready_ = false;
    int stop_ = -1;
    std::thread thread_;
};

}  // namespace guestd::bus::test
