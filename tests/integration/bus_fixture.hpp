// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>

#include "bus_support.hpp"

namespace guestd::bus::test {

using nlohmann::json;
using namespace std::chrono_literals;

/// Something that happens on the loop and that a test waits for.
class Signpost {
public:
    void reach() {
        if (!reached_.exchange(true))
            promise_.set_value();
    }
    void wait() { ASSERT_EQ(promise_.get_future().wait_for(60s), std::future_status::ready); }

private:
    std::atomic<bool> reached_ = false;
    std::promise<void> promise_;
};

inline TimePoint at(Duration since_boot) {
    return TimePoint{since_boot};
}

inline Uuid uuid_number(std::uint8_t number) {
    Uuid::Raw raw{};
    raw.back() = number;
    return Uuid{raw};
}

/// A bus, a stub with a small fleet, and guestd's bus code between them.
class BusTest : public testing::Test {
protected:
    BusTest() {
        facade.status_view.version = "1.2.3";
        facade.guest_views = {{.uri = "test:///a",
                               .uuid = uuid_number(1),
                               .name = "db",
                               .state = GuestState::running},
                              {.uri = "test:///a",
                               .uuid = uuid_number(2),
                               .name = "web",
                               .state = GuestState::shutoff,
                               .autostart = true,
                               .managed_save = true}};
        guestd.emplace(facade);
    }

    json json_of(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "--json");
        const Finished done = guestctl(arguments);
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_EQ(done.err, "");
        return json::parse(done.out);
    }

    /// What the loop has written so far may be read from here on.
    void settle() {
        guestd->on_loop([](Server&) {});
    }

    static Notice done(RunId run, std::uint8_t guest, const char* name, Outcome outcome,
                       const char* text = "") {
        return {.kind = NoticeKind::guest_done,
                .run = run,
                .guest = GuestId{UriId{0}, uuid_number(guest)},
                .name = name,
                .outcome = outcome,
                .text = text};
    }
    static Notice step(RunId run, std::uint8_t guest, const char* name, const char* what) {
        return {.kind = NoticeKind::step_started,
                .run = run,
                .guest = GuestId{UriId{0}, uuid_number(guest)},
                .name = name,
                .what = what};
    }

    PrivateBus bus;
    StubFacade facade;
    std::optional<Guestd> guestd;
};

}  // namespace guestd::bus::test
