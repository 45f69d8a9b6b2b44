// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ladder.hpp"

#include <algorithm>

namespace guestd::core {
namespace {

/// A guest that has gone down leaves QEMU flushing its disks: slow disks take tens of seconds.
constexpr Duration kFlushTime = 1min;

/// QEMU ends within a fraction of a second of SIGTERM, and libvirt then takes it down; a request to
/// a busy host needs some time to get there.
constexpr Duration kLeastLastTime = 3s;

RungKind rung_kind(StepKind kind) {
    switch (kind) {
        case StepKind::shutdown:
            return RungKind::shutdown;
        case StepKind::save:
            return RungKind::save;
        case StepKind::destroy:
            return RungKind::destroy;
        case StepKind::leave:
            return RungKind::leave;
        case StepKind::migrate:
            return RungKind::migrate;
    }
    return RungKind::destroy;
}

Rung destroy_rung() {
    return Rung{.kind = RungKind::destroy, .time = kDefaultDestroyTime};
}
Rung leave_rung() {
    return Rung{.kind = RungKind::leave};
}

std::vector<Rung> configured(const Ladder& ladder) {
    std::vector<Rung> rungs;
    for (const auto& step : ladder)
        rungs.push_back(Rung{rung_kind(step.kind), step.mode, step.time, step.target});
    return rungs;
}

const Rung* find(const std::vector<Rung>& ladder, RungKind kind) {
    const auto found = std::ranges::find(ladder, kind, &Rung::kind);
    return found == ladder.end() ? nullptr : &*found;
}

/// The ladder's own rung of this kind, else one with the default time.
Rung rung_or(const std::vector<Rung>& ladder, RungKind kind, Duration time) {
    const auto* rung = find(ladder, kind);
    return rung != nullptr ? *rung : Rung{.kind = kind, .time = time};
}

/// What cannot be saved and will not come back is asked, and does not stay in the way.
std::vector<Rung> for_transient(TransientRule rule, const std::vector<Rung>& base) {
    switch (rule) {
        case TransientRule::shutdown:
            return {rung_or(base, RungKind::shutdown, kDefaultShutdownTime), destroy_rung()};
        case TransientRule::destroy:
            return {destroy_rung()};
        case TransientRule::leave:
            return {leave_rung()};
    }
    return base;
}

std::vector<Rung> for_paused(PausedRule rule, const std::vector<Rung>& base, bool persistent) {
    const auto resumed = [&] {
        std::vector<Rung> rungs{Rung{.kind = RungKind::resume, .time = kPrepareTime}};
        rungs.insert(rungs.end(), base.begin(), base.end());
        return rungs;
    };
    switch (rule) {
        case PausedRule::save: {
            if (!persistent)
                return resumed();
            std::vector<Rung> rungs{rung_or(base, RungKind::save, kDefaultSaveTime)};
            if (find(base, RungKind::destroy) != nullptr)
                rungs.push_back(destroy_rung());
            return rungs;
        }
        case PausedRule::resume:
            return resumed();
        case PausedRule::destroy:
            return {destroy_rung()};
        case PausedRule::leave:
            return {leave_rung()};
    }
    return base;
}

}  // namespace

std::string_view to_string(RungKind kind) {
    switch (kind) {
        case RungKind::wake:
            return "wake";
        case RungKind::resume:
            return "resume";
        case RungKind::wait:
            return "flush";
        case RungKind::shutdown:
            return "shutdown";
        case RungKind::save:
            return "save";
        case RungKind::destroy:
            return "destroy";
        case RungKind::leave:
            return "leave";
        case RungKind::migrate:
            return "migrate";
    }
    return "?";
}

std::vector<Rung> effective_ladder(const StopPolicy& policy, const GuestInfo& guest) {
    auto ladder = configured(policy.stop);
    if (ladder.empty())
        ladder.push_back(leave_rung());
    if (ladder.front().kind == RungKind::leave)
        return ladder;
    if (guest.state == GuestState::crashed)
        return {destroy_rung()};
    if (!guest.persistent)
        ladder = for_transient(policy.transient, ladder);
    if (ladder.front().kind == RungKind::leave || ladder.front().kind == RungKind::destroy)
        return ladder;
    if (guest.state == GuestState::paused)
        return for_paused(policy.paused, ladder, guest.persistent);
    if (guest.state == GuestState::pmsuspended)
        ladder.insert(ladder.begin(), Rung{.kind = RungKind::wake, .time = kPrepareTime});
    if (guest.state == GuestState::shutting_down)
        ladder.insert(ladder.begin(), Rung{.kind = RungKind::wait, .time = kFlushTime});
    return ladder;
}

int tier_rank(Tier tier) {
    switch (tier) {
        case Tier::expendable:
            return 0;
        case Tier::normal:
            return 1;
        case Tier::critical:
            return 2;
    }
    return 1;
}

unsigned tier_weight(Tier tier) {
    return 1U << tier_rank(tier);
}

Duration total_time(const std::vector<Rung>& ladder) {
    Duration total{};
    for (const auto& rung : ladder)
        total += rung.time;
    return total;
}

Duration shortened(Duration time, Duration part, Duration whole) {
    if (whole <= part)
        return time;
    return Duration{static_cast<Duration::rep>(static_cast<double>(time.count()) *
                                               static_cast<double>(part.count()) /
                                               static_cast<double>(whole.count()))};
}

std::vector<TimePoint> latest_ends(const std::vector<Rung>& ladder, TimePoint start,
                                   TimePoint deadline) {
    std::vector<TimePoint> ends(ladder.size(), deadline);
    if (deadline == kNever)
        return ends;
    const auto available = std::max(deadline - start, Duration::zero());
    // The last resort is no use when it has no time at all.
    const auto floor = std::min({ladder.back().time, kLeastLastTime, available / 2});
    const auto total = total_time(ladder);
    const auto last = std::max(floor, shortened(ladder.back().time, available, total));
    Duration reserved{};
    for (std::size_t i = ladder.size(); i-- > 0;) {
        ends[i] = deadline - reserved;
        reserved += i + 1 == ladder.size()
                        ? last
                        : shortened(ladder[i].time, available - last, total - ladder.back().time);
    }
    return ends;
}

}  // namespace guestd::core
