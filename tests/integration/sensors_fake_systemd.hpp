// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A systemd that knows a few units and tells of their changes: on the system bus, or behind a
/// socket that plays its own. It lives on the test's loop.

#include <systemd/sd-bus.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sensors/fd.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors::testing {

struct FakeUnit {
    std::string load = "loaded";
    std::string active = "inactive";
};

class FakeSystemd {
public:
    /// On the system bus.
    explicit FakeSystemd(systemd::Loop& loop);
    /// Behind this socket.
    FakeSystemd(systemd::Loop& loop, const std::filesystem::path& socket);
    ~FakeSystemd();
    FakeSystemd(const FakeSystemd&) = delete;
    FakeSystemd& operator=(const FakeSystemd&) = delete;

    /// Changes the unit, and says so to those who subscribed.
    void set(const std::string& unit, const FakeUnit& state);
    /// Changes the unit, and says nothing.
    void set_silently(const std::string& unit, const FakeUnit& state) { units_[unit] = state; }
    void fall_silent() { silent_ = true; }
    int questions() const { return questions_; }

private:
    struct CloseBus {
        void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
    };
    using Bus = std::unique_ptr<sd_bus, CloseBus>;
    void serve(Bus bus);
    void accept();
    void answer(sd_bus_message* call);
    void list(sd_bus_message* call);
    static int on_message(sd_bus_message* message, void* userdata, sd_bus_error*);

    systemd::Loop& loop_;
    std::map<std::string, FakeUnit> units_;
    bool subscribed_ = false;
    bool silent_ = false;
    int questions_ = 0;
    Fd listener_;
    systemd::IoSource source_;
    std::vector<Bus> buses_;
};

}  // namespace guestd::sensors::testing
