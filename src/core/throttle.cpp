// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/throttle.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace guestd::core {
namespace {

/// The host is measured at once when asked; whoever does not answer does not hold up guests.
constexpr Duration kMeasureTime = 2s;
/// What "avg10" looks back: a second halving within it would be for the same pressure.
constexpr Duration kPressureWindow = 10s;
/// Pressure that lasts longer than a guest takes to boot (the default ready_timeout) is not of the
/// guests that were just started: it may last for ever, and then guests come up one by one.
constexpr Duration kLongestPressure = 2min;
/// Of the thresholds: so little pressure that one more guest at a time will do.
constexpr double kLowShare = 0.5;
constexpr unsigned kFirstAdaptive = 2;
/// libvirt's long calls are the end of it.
constexpr unsigned kMostAdaptive = 15;

bool above(const std::optional<double>& value, double limit) {
    return limit > 0 && value && *value >= limit;
}

std::string percent(double value) {
    return std::to_string(std::lround(value)) + " %";
}

std::string mib(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

Throttle::Throttle(const UriPolicy& policy, bool local, TimePoint now)
    : policy_(policy), local_(local), adaptive_(kFirstAdaptive), next_start_(now) {}

void Throttle::entered(Bytes memory) {
    ++active_;
    promised_.count += memory.count;
}

void Throttle::started(TimePoint now) {
    next_start_ = now + policy_.start_delay;
    if (pressed_since_ != kNever)
        pressed_since_ = now;  // the next one waits as long again
}

void Throttle::left(Bytes memory, bool ready) {
    --active_;
    promised_.count -= memory.count;
    if (ready && low())
        adaptive_ = std::min(adaptive_ + 1, kMostAdaptive);
}

bool Throttle::low() const {
    const auto calm = [](const std::optional<double>& value, double limit) {
        return !above(value, limit * kLowShare);
    };
    const auto& most = policy_.pressure;
    return !host_ || (calm(host_->io, most.io) && calm(host_->cpu, most.cpu) &&
                      calm(host_->memory, most.memory));
}

void Throttle::measured(const HostMeasured& host, TimePoint now) {
    if (!local_)
        return;
    host_ = host;
    asked_ = kNever;
    if (pressure_text().empty()) {
        pressed_since_ = kNever;
        return;
    }
    if (pressed_since_ == kNever)
        pressed_since_ = now;
    if (now - halved_ >= kPressureWindow || halved_ == TimePoint{}) {
        adaptive_ = std::max(adaptive_ / 2, 1U);
        halved_ = now;
    }
}

bool Throttle::wants_measure(bool waiting) const {
    const auto& most = policy_.pressure;
    const bool limited = most.io > 0 || most.cpu > 0 || most.memory > 0;
    return local_ && (waiting || (policy_.adaptive_parallel && active_ > 0)) &&
           (limited || policy_.min_free_memory.count > 0);
}

std::string Throttle::pressure_text() const {
    if (!host_)
        return {};
    const auto& most = policy_.pressure;
    std::string text;
    const auto add = [&](const char* what, const std::optional<double>& value, double limit) {
        if (above(value, limit))
            text += (text.empty() ? "" : ", ") + std::string{what} + " pressure " +
                    percent(*value) + " (limit " + percent(limit) + ")";
    };
    add("I/O", host_->io, most.io);
    add("CPU", host_->cpu, most.cpu);
    add("memory", host_->memory, most.memory);
    return text;
}

void Throttle::hold_for_pressure(TimePoint now) {
    const auto text = pressure_text();
    if (text.empty() || now >= pressed_since_ + kLongestPressure)
        return;
    held_by_pressure_ = true;
    hold_ = "the host: " + text;
    wake_up_ = pressed_since_ + kLongestPressure;
}

const std::string& Throttle::hold(TimePoint now) {
    wake_up_ = kNever;
    hold_.clear();
    held_by_pressure_ = false;
    if (limit() != 0 && active_ >= limit()) {
        hold_ = "a free place (max_parallel = " + std::to_string(limit()) + ")";
    } else if (now < next_start_) {
        hold_ = "start_delay";
        wake_up_ = next_start_;
    } else if (wants_measure(true) && !host_) {
        if (asked_ == kNever)
            asked_ = now;
        if (now < asked_ + kMeasureTime) {
            hold_ = "a look at the host's pressure and memory";
            wake_up_ = asked_ + kMeasureTime;
        }
    } else {
        hold_for_pressure(now);
    }
    return hold_;
}

std::string Throttle::hold_for_memory(Bytes memory) const {
    const auto keep = policy_.min_free_memory.count;
    if (!local_ || keep == 0 || !host_ || !host_->available)
        return {};
    const auto needed = promised_.count + memory.count + keep;
    if (host_->available->count >= needed)
        return {};
    return "may take " + mib(memory.count) + ", and " + mib(keep) + " are to stay free; " +
           mib(host_->available->count) + " are, of which " + mib(promised_.count) +
           " are promised to guests on their way up";
}

}  // namespace guestd::core
