// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/disk.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

namespace guestd::sim {
namespace {

/// Rounding of times to microseconds leaves fractions of a byte.
constexpr double kRest = 1.0 + 1e-3;

double seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

void Disk::begin(const GuestId& guest, Bytes bytes, std::function<void()> done) {
    settle();
    const auto total = static_cast<double>(bytes.count);
    transfers_[guest] = Transfer{total, total, std::move(done)};
    rearm();
}

void Disk::abort(const GuestId& guest) {
    settle();
    if (transfers_.erase(guest) > 0)
        rearm();
}

Bytes Disk::progress(const GuestId& guest) {
    settle();
    const auto found = transfers_.find(guest);
    if (found == transfers_.end())
        return {};
    return Bytes{static_cast<std::uint64_t>(found->second.total - found->second.left)};
}

double Disk::share() const {
    const auto even = static_cast<double>(rate_.count) / static_cast<double>(transfers_.size());
    return stream_.count == 0 ? even : std::min(even, static_cast<double>(stream_.count));
}

void Disk::settle() {
    const auto elapsed = seconds(clockwork_.now() - std::exchange(settled_, clockwork_.now()));
    if (transfers_.empty())
        return;
    const double rate = share();
    for (auto& [guest, transfer] : transfers_)
        transfer.left = std::max(0.0, transfer.left - elapsed * rate);
}

void Disk::rearm() {
    const auto generation = ++generation_;
    if (transfers_.empty())
        return;
    double least = transfers_.begin()->second.left;
    for (const auto& [guest, transfer] : transfers_)
        least = std::min(least, transfer.left);
    const double rate = share();
    const Duration time{static_cast<Duration::rep>(std::ceil(least / rate * 1e6))};
    clockwork_.schedule_in(time, [this, generation] {
        if (generation != generation_)
            return;
        settle();
        std::vector<std::function<void()>> done;
        std::erase_if(transfers_, [&](auto& entry) {
            if (entry.second.left > kRest)
                return false;
            done.push_back(std::move(entry.second.done));
            return true;
        });
        rearm();
        for (const auto& action : done)
            action();
    });
}

}  // namespace guestd::sim
