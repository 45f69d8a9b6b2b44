// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/save_pace.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace guestd::core {
namespace {

using namespace std::chrono_literals;

/// Job statistics come once a second: three of them tell a rate from a hiccup.
constexpr Duration kWindow = 4s;
constexpr Duration kMeasureTime = 3s;
/// Statistics that follow each other faster say little.
constexpr Duration kShortestStep = 500ms;
/// A projection is off by that much at least: guests' memory is not evenly full.
constexpr double kComfort = 0.8;
/// How many feed a disk of which nothing is known: one writes while the next one begins.
constexpr unsigned kUnknownStreams = 2;

double seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

void SavePace::began(const GuestId& guest, Bytes memory, TimePoint now) {
    if (!first_)
        first_ = now;
    if (saves_.empty()) {
        samples_.clear();
        busy_since_ = now;
    }
    saves_[guest] = Save{memory.count, memory.count, now};
    sample(now);
}

void SavePace::progressed(const GuestId& guest, Bytes left, TimePoint now) {
    const auto found = saves_.find(guest);
    if (found == saves_.end())
        return;
    auto& save = found->second;
    if (left.count < save.left) {
        const auto step = save.left - left.count;
        through_ += step;
        if (now - save.seen >= kShortestStep)
            stream_ = std::max(stream_, static_cast<double>(step) / seconds(now - save.seen));
        save.left = left.count;
        save.seen = now;
    }
    sample(now);
}

void SavePace::ended(const GuestId& guest, bool complete, TimePoint now) {
    const auto found = saves_.find(guest);
    if (found == saves_.end())
        return;
    const auto save = found->second;
    saves_.erase(found);
    if (!complete)
        return;
    through_ += save.left;
    complete_ += save.memory;
    last_ = now;
    sample(now);
}

void SavePace::sample(TimePoint now) {
    samples_.push_back({now, through_});
    while (samples_.size() > 2 && samples_[1].at <= now - kWindow)
        samples_.pop_front();
}

bool SavePace::measured(TimePoint now) const {
    return !saves_.empty() && now - busy_since_ >= kMeasureTime && measured_rate(now) > 0;
}

double SavePace::measured_rate(TimePoint now) const {
    if (samples_.empty() || now <= samples_.front().at)
        return 0;
    return static_cast<double>(through_ - samples_.front().through) /
           seconds(now - samples_.front().at);
}

double SavePace::rate(TimePoint now) const {
    return measured(now) ? measured_rate(now) : learned_.disk;
}

std::map<GuestId, TimePoint> SavePace::projection(TimePoint now) const {
    const double all = rate(now);
    if (all <= 0)
        return {};
    std::vector<std::pair<std::uint64_t, GuestId>> by_left;
    for (const auto& [id, save] : saves_)
        by_left.emplace_back(save.left, id);
    std::ranges::sort(by_left);
    std::map<GuestId, TimePoint> ends;
    double time = 0;
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < by_left.size(); ++i) {
        const auto& [left, id] = by_left[i];
        time += static_cast<double>(left - before) * static_cast<double>(by_left.size() - i) / all;
        before = left;
        ends[id] = now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(time));
    }
    return ends;
}

std::optional<unsigned> SavePace::enough(Bytes queued, TimePoint limit, TimePoint now) const {
    const double all = rate(now);
    if (all <= 0 || limit == kNever)
        return std::nullopt;
    auto left = static_cast<double>(queued.count);
    for (const auto& [id, save] : saves_)
        left += static_cast<double>(save.left);
    if (left / all <= seconds(limit - now) * kComfort)
        return std::nullopt;
    const double stream = std::max(stream_, learned_.stream);
    return stream <= 0 ? kUnknownStreams
                       : std::max(1U, static_cast<unsigned>(std::ceil(all / stream)));
}

std::optional<SavePace::Learned> SavePace::learned() const {
    if (!first_ || complete_ == 0 || last_ <= *first_)
        return std::nullopt;
    return Learned{static_cast<double>(complete_) / seconds(last_ - *first_), stream_};
}

}  // namespace guestd::core
