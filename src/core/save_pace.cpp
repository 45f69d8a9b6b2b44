// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/save_pace.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace guestd::core {
namespace {

using namespace std::chrono_literals;

/// Job statistics come once a second: this many seconds of them tell a rate from a hiccup.
constexpr Duration kWindow = 4s;
constexpr Duration kMeasureTime = 2s;
/// A save that has had none for that long has none coming.
constexpr Duration kFresh = 3s;
/// Enough of the past for a window that ends kFresh ago.
constexpr Duration kKept = kWindow + kFresh;
/// Statistics that follow each other faster say little.
constexpr Duration kShortestStep = 500ms;
/// A projection is off by that much at least: guests' memory is not evenly full.
constexpr double kComfort = 0.8;
/// How many feed a disk of which nothing is known: one writes while the next one begins.
constexpr unsigned kUnknownStreams = 2;

double seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

/// What was left at that time, between two samples in proportion.
template <class Samples>
double left_at(const Samples& samples, TimePoint at) {
    if (at <= samples.front().at)
        return static_cast<double>(samples.front().left);
    for (std::size_t i = 1; i < samples.size(); ++i) {
        const auto& before = samples[i - 1];
        const auto& after = samples[i];
        if (at > after.at || after.at == before.at)
            continue;
        const double part = seconds(at - before.at) / seconds(after.at - before.at);
        return static_cast<double>(before.left) -
               part * static_cast<double>(before.left - after.left);
    }
    return static_cast<double>(samples.back().left);
}

}  // namespace

void SavePace::began(const GuestId& guest, Bytes memory, TimePoint now, bool joined) {
    if (active_++ == 0)
        busy_since_ = now;
    std::erase_if(saves_, [&](const auto& entry) {
        return entry.second.over && entry.second.seen() < now - kKept;
    });
    saves_[guest] = Save{
        .memory = memory.count, .begun = now, .samples = {{now, memory.count}}, .joined = joined};
}

void SavePace::progressed(const GuestId& guest, Bytes left, TimePoint now) {
    const auto found = saves_.find(guest);
    if (found == saves_.end() || found->second.over || now - found->second.seen() < kShortestStep)
        return;
    auto& save = found->second;
    if (std::exchange(save.joined, false)) {
        save.samples = {{now, left.count}};
        return;
    }
    const auto step = save.left() - std::min(save.left(), left.count);
    stream_ = std::max(stream_, static_cast<double>(step) / seconds(now - save.seen()));
    save.samples.push_back({now, save.left() - step});
    while (save.samples.size() > 2 && save.samples[1].at <= now - kKept)
        save.samples.pop_front();
}

void SavePace::ended(const GuestId& guest, bool complete, TimePoint now) {
    const auto found = saves_.find(guest);
    if (found == saves_.end() || found->second.over)
        return;
    if (--active_ == 0)
        busy_ += now - busy_since_;
    auto& save = found->second;
    save.over = true;
    save.samples.push_back({now, complete ? 0 : save.left()});
    if (complete)
        complete_ += save.memory;
}

std::optional<double> SavePace::measured_rate(TimePoint now) const {
    auto end = now;
    for (const auto& [id, save] : saves_)
        if (!save.over)
            end = std::min(end, save.seen());
    const auto begin = std::max(end - kWindow, busy_since_);
    if (active_ == 0 || now - end > kFresh || end - begin < kMeasureTime)
        return std::nullopt;
    double through = 0;
    for (const auto& [id, save] : saves_)
        if (save.seen() > begin)
            through += left_at(save.samples, begin) - left_at(save.samples, end);
    return through > 0 ? std::optional{through / seconds(end - begin)} : std::nullopt;
}

bool SavePace::measured(TimePoint now) const {
    return measured_rate(now).has_value();
}

double SavePace::rate(TimePoint now) const {
    return measured_rate(now).value_or(learned_.disk);
}

std::map<GuestId, TimePoint> SavePace::projection(TimePoint now) const {
    const double all = rate(now);
    if (all <= 0)
        return {};
    std::vector<std::pair<std::uint64_t, GuestId>> by_left;
    for (const auto& [id, save] : saves_)
        if (!save.over)
            by_left.emplace_back(save.left(), id);
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

Bytes SavePace::left(const GuestId& guest) const {
    const auto found = saves_.find(guest);
    return found == saves_.end() || found->second.over ? Bytes{} : Bytes{found->second.left()};
}

Duration SavePace::time_for(Bytes bytes, TimePoint now) const {
    const double all = rate(now);
    if (all <= 0)
        return Duration::max() / 2;  // a time can still be added to it
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(static_cast<double>(bytes.count) / all));
}

std::optional<unsigned> SavePace::enough(Bytes queued, TimePoint limit, TimePoint now) const {
    const double all = rate(now);
    if (all <= 0 || limit == kNever)
        return std::nullopt;
    auto left = static_cast<double>(queued.count);
    for (const auto& [id, save] : saves_)
        left += save.over ? 0 : static_cast<double>(save.left());
    if (left / all <= seconds(limit - now) * kComfort)
        return std::nullopt;
    const double stream = std::max(stream_, learned_.stream);
    // Never one alone: that would show what one feeds, for ever.
    return stream <= 0 ? kUnknownStreams
                       : std::max(kUnknownStreams, static_cast<unsigned>(std::ceil(all / stream)));
}

std::optional<SavePace::Learned> SavePace::learned() const {
    if (complete_ == 0 || busy_ <= Duration::zero())
        return std::nullopt;
    return Learned{static_cast<double>(complete_) / seconds(busy_), stream_};
}

}  // namespace guestd::core
