// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A host whose /proc is a folder, sensors on a loop that runs only while the test waits, and what
/// they have told.

#include <gmock/gmock.h>
#include <systemd/sd-event.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sensors/sensors.hpp"

namespace guestd::sensors::testing {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Only reached by a test that fails.
inline constexpr Duration kPatience = 20s;
/// Of a source that must tell by itself: the safety timer may not be what helps it out.
inline constexpr Duration kNoSafety = 1h;
inline constexpr WatchId kId = 7;

/// The whole file, in one step: nobody reads half of it.
inline void write_file(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    const fs::path part = path.string() + ".part";
    std::ofstream{part} << text;
    fs::rename(part, path);
}

inline std::string read_file(const fs::path& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class SensorsTest : public ::testing::Test {
protected:
    SensorsTest() {
        std::string name = "/tmp/guestd-sensors-XXXXXX";
        dir_ = ::mkdtemp(name.data());
        options_.proc = (dir_ / "proc").string();
        options_.systemd_socket = (dir_ / "private").string();
        options_.safety = kNoSafety;
    }
    ~SensorsTest() override {
        sensors_.reset();
        std::error_code ignored;
        fs::remove_all(dir_, ignored);
    }

    SystemSensors& sensors() {
        if (!sensors_)
            sensors_ = std::make_unique<SystemSensors>(
                *loop_, [this](Event event) { take(std::move(event)); }, options_);
        return *sensors_;
    }

    /// Turns the loop until it is so; false when that takes too long.
    bool until(const std::function<bool()>& is_so) {
        const TimePoint end = loop_->now() + kPatience;
        while (!is_so()) {
            const auto left = end - loop_->now();
            if (left <= Duration::zero())
                return false;
            // Woken now and then for what no event tells of.
            sd_event_run(loop_->handle(),
                         static_cast<std::uint64_t>(std::min<Duration>(left, 20ms).count()));
        }
        return true;
    }
    bool until_told(bool holds, const std::string& text, WatchId id = kId) {
        return until([&] { return told_[id] == std::pair{holds, text}; });
    }
    bool until_holds(WatchId id = kId) { return until_told(true, "", id); }

    void need(NeedKind kind, const std::string& target, WatchId id = kId) {
        sensors().watch({.id = id, .what = Need{kind, target}});
    }

    /// What was told last; "never" = nothing.
    std::map<WatchId, std::pair<bool, std::string>> told_;
    std::map<WatchId, int> times_told_;
    std::vector<HostMeasured> measured_;
    fs::path dir_;
    Options options_;
    std::unique_ptr<systemd::Loop> loop_ = std::move(*systemd::Loop::create());

private:
    void take(Event event) {
        if (const auto* change = std::get_if<WatchChanged>(&event)) {
            told_[change->id] = {change->holds, change->text};
            ++times_told_[change->id];
        } else if (const auto* measured = std::get_if<HostMeasured>(&event)) {
            measured_.push_back(*measured);
        }
    }
    std::unique_ptr<SystemSensors> sensors_;
};

}  // namespace guestd::sensors::testing
