// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the core costs: N guests with random dependencies and policies are booted and drained by the
// real core in the simulator's virtual time, so nothing but the core and its simulator uses CPU.
//
//   guestd_bench_plan [--uris K] [N…]
//
// One line of JSON for each N, and one for all of them: the exponent b of the best fit of
// CPU time = c * (N log N)^b. Each N runs in a process of its own, so that its peak of memory is
// its own. Random numbers come from a fixed seed: the same guests in every run. Exit code 1: a
// guest did not come to its end.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "sim/driver.hpp"
#include "sim/policy.hpp"

namespace {

using namespace guestd;
using namespace std::chrono_literals;

constexpr std::array kSizes = {1000U, 3000U, 10'000U, 30'000U, 100'000U};
/// No guest is to fail for want of time: 100,000 of them have one disk to be saved to.
constexpr Duration kDeadline = 24h * 30;
/// A guest depends on some of those just before it, as services do on their databases.
constexpr std::uint64_t kNeighbours = 50;

std::string name_of(std::size_t number) {
    return "guest" + std::to_string(number);
}

sim::GuestModel random_model(sim::Dice& dice, std::size_t number) {
    sim::GuestModel model{.name = name_of(number), .state = GuestState::shutoff, .autostart = true};
    model.memory.count = (256ULL << 20) << dice.roll() % 5;
    model.start_time = Duration{1ms * (100 + dice.roll() % 2000)};
    model.boot_time = Duration{1ms * (1000 + dice.roll() % 30'000)};
    model.obeys = Duration{1ms * (500 + dice.roll() % 20'000)};
    model.agent = dice.chance(0.5) ? sim::Agent::answers : sim::Agent::none;
    if (dice.chance(0.05))
        model.obeys.reset();
    model.refuses_save = dice.chance(0.05);
    model.start_failures = dice.chance(0.02) ? 1 : 0;
    return model;
}

GuestPolicy random_policy(sim::Dice& dice, std::size_t number) {
    GuestPolicy policy;
    policy.tier = static_cast<Tier>(dice.roll() % 3);
    policy.priority = static_cast<int>(dice.roll() % 5);
    if (dice.chance(0.3))
        policy.stop.stop = {Step{.kind = StepKind::save, .time = kDefaultSaveTime},
                            Step{.kind = StepKind::destroy, .time = kDefaultDestroyTime}};
    else
        policy.stop.stop.front().time = 30s + Duration{1s * (dice.roll() % 60)};
    if (dice.chance(0.3))
        policy.start.ready = {Probe{.kind = ProbeKind::delay, .span = 10s}};
    for (auto needs = dice.roll() % 3; needs > 0 && number > 0; --needs) {
        auto& list = dice.chance(0.5) ? policy.after : policy.requires_;
        list.push_back(name_of(number - 1 - dice.roll() % std::min(number, kNeighbours)));
    }
    return policy;
}

/// Of CPU: on an idle host as much has passed, as there is one thread that never waits; on a busy
/// one the figure holds all the same.
double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Result {
    double boot = 0;
    double drain = 0;
    bool complete = false;
};

std::size_t count(const sim::World& world, bool active) {
    std::size_t found = 0;
    for (const auto& id : world.guests())
        found += is_active(world.truth(id).state) == active ? 1 : 0;
    return found;
}

Result run(std::size_t guests, std::size_t uris) {
    sim::Dice dice{guests};
    sim::World world;
    sim::Store store{world.clock()};
    const auto policy = std::make_shared<sim::Policy>();
    policy->uris.max_parallel = 0;
    policy->uris.deadline = kDeadline;
    policy->uris.min_free_memory = {};
    policy->uris.pressure = {.io = 0, .cpu = 0, .memory = 0};
    for (std::size_t i = 0; i < uris; ++i)
        world.add_uri({.uri = "qemu:///" + std::to_string(i)});
    for (std::size_t i = 0; i < guests; ++i) {
        world.add_guest(static_cast<UriId>(i * uris / guests), random_model(dice, i));
        policy->named[name_of(i)] = random_policy(dice, i);
    }
    sim::Driver driver{world, store, policy};
    driver.keep_transcript = false;

    Result result;
    auto begin = cpu_seconds();
    driver.start_guestd();
    const auto limit = TimePoint{} + 2 * kDeadline;
    result.complete = driver.run_to_end(limit) && count(world, true) == guests;
    result.boot = cpu_seconds() - begin;
    begin = cpu_seconds();
    driver.send(RunRequested{.kind = RunKind::drain, .deadline = {}, .selection = {}});
    driver.run_until(driver.now());
    result.complete = driver.run_to_end(limit) && count(world, false) == guests && result.complete;
    result.drain = cpu_seconds() - begin;
    return result;
}

void print(std::size_t guests, std::size_t uris, const Result& result, long peak_kib) {
    std::printf(
        "{\"bench\": \"plan-%zu\", \"guests\": %zu, \"uris\": %zu, \"boot_seconds\": %.3f, "
        "\"drain_seconds\": %.3f, \"seconds\": %.3f, \"peak_rss_mib\": %.1f, \"complete\": %s}\n",
        guests, guests, uris, result.boot, result.drain, result.boot + result.drain,
        static_cast<double>(peak_kib) / 1024, result.complete ? "true" : "false");
    std::fflush(stdout);
}

/// In a child, whose peak of memory is known once it has ended. Nothing when it came to grief.
Result run_apart(std::size_t guests, std::size_t uris) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        return {};
    const auto child = ::fork();
    if (child == 0) {
        const auto result = run(guests, uris);
        const auto written = ::write(ends[1], &result, sizeof result);
        ::_exit(written == sizeof result ? 0 : 1);
    }
    ::close(ends[1]);
    Result result;
    int status = 0;
    struct rusage used {};
    const bool told = ::read(ends[0], &result, sizeof result) == sizeof result;
    ::close(ends[0]);
    if (child < 0 || ::wait4(child, &status, 0, &used) != child || status != 0 || !told)
        return {};
    print(guests, uris, result, used.ru_maxrss);
    return result;
}

struct Point {
    double size = 0;
    double time = 0;
};

/// The slope of the least squares line through log(time) over log(N log N).
double exponent(const std::vector<Point>& points) {
    double x = 0, y = 0, xx = 0, xy = 0;
    for (const auto& point : points) {
        const auto at = std::log(point.size * std::log(point.size));
        const auto value = std::log(point.time);
        x += at, y += value, xx += at * at, xy += at * value;
    }
    const auto n = static_cast<double>(points.size());
    return (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace

int main(int count, char** words) {
    std::vector<std::size_t> sizes;
    std::size_t uris = 1;
    for (int i = 1; i < count; ++i)
        if (std::strcmp(words[i], "--uris") == 0 && i + 1 < count)
            uris = std::strtoul(words[++i], nullptr, 10);
        else
            sizes.push_back(std::strtoul(words[i], nullptr, 10));
    if (sizes.empty())
        sizes.assign(kSizes.begin(), kSizes.end());

    bool complete = true;
    std::vector<Point> points;
    for (const auto size : sizes) {
        const auto result = run_apart(size, uris);
        complete = complete && result.complete;
        points.push_back({static_cast<double>(size), result.boot + result.drain});
    }
    if (complete && points.size() > 1)
        std::printf("{\"bench\": \"plan-fit\", \"sizes\": %zu, \"exponent_of_n_log_n\": %.3f}\n",
                    points.size(), exponent(points));
    return complete ? 0 : 1;
}
