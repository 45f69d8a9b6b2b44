// SPDX-License-Identifier: LGPL-2.1-or-later
// What the store handed over, with any numbers in it: a file can be well formed and wrong. (`state`
// goes the whole way, and so not often.)
#include <cstring>

#include "fuzz.hpp"
#include "life.hpp"

using namespace guestd;

namespace {

/// The input, as one number after the other; zeros when it is used up.
class Numbers {
public:
    Numbers(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    template <class T>
    T next() {
        T value{};
        const auto length = std::min(sizeof value, size_);
        if (length > 0)
            std::memcpy(&value, data_, length);
        data_ += length;
        size_ -= length;
        return value;
    }
    bool flag() { return next<std::uint8_t>() % 2 == 1; }
    template <class Enum>
    Enum one_up_to(Enum last) {
        return static_cast<Enum>(next<std::uint8_t>() % (static_cast<int>(last) + 1));
    }
    TimePoint time() { return TimePoint{Duration{next<std::int64_t>()}}; }
    std::optional<TimePoint> maybe_time() { return flag() ? std::optional{time()} : std::nullopt; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

constexpr unsigned kGuests = 3;
const std::string kUri = "qemu:///system";

Uuid uuid(unsigned number) {
    return Uuid{Uuid::Raw{static_cast<std::uint8_t>(number + 1)}};
}

RunGuestRecord row(Numbers& from, unsigned number) {
    RunGuestRecord guest{.run = 1, .uri = kUri, .uuid = uuid(number), .name = "g"};
    guest.outcome = from.one_up_to(Outcome::failed);
    guest.started = from.maybe_time();
    guest.ended = from.maybe_time();
    guest.bytes.count = from.next<std::uint64_t>();
    return guest;
}

ResumeEntry entry(Numbers& from, unsigned number) {
    ResumeEntry guest{.uri = kUri, .uuid = uuid(number), .name = "g"};
    guest.was_paused = from.flag();
    guest.transient = from.flag();
    guest.expect_restore = from.flag();
    guest.run = from.next<RunId>();
    guest.since = WallTime{std::chrono::microseconds{from.next<std::int64_t>()}};
    return guest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Numbers from{data, size};
    Restored restored{.last_run = from.next<RunId>(), .boot_run_done = from.flag()};
    RunRecord run{.id = 1, .boot_id = "boot"};
    run.kind = from.one_up_to(RunKind::drain);
    run.trigger = run.kind == RunKind::drain ? Trigger::reboot : Trigger::host_boot;
    run.started = from.time();
    run.deadline = from.time();
    run.started_wall = WallTime{std::chrono::microseconds{from.next<std::int64_t>()}};
    for (const char* key : {"save.disk:", "save.stream:"})
        restored.learned[key + kUri] = from.next<double>();
    for (unsigned number = 0; number < kGuests; ++number) {
        restored.unfinished_guests.push_back(row(from, number));
        restored.resume_list.push_back(entry(from, number));
        restored.learned["boot.ready:" + kUri + " " + uuid(number).str()] = from.next<double>();
    }
    restored.unfinished = std::move(run);
    fuzz::live(restored, "boot");
    return 0;
}
