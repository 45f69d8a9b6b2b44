// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_history.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "ctl/context.hpp"

namespace guestd::ctl {
namespace {

/// Newest runs that are looked at: guests change, and each run costs two questions.
constexpr std::uint32_t kRuns = 8;
/// Less than this was no measurement of a disk.
constexpr std::uint64_t kLeastSaved = 16ULL << 20;

using Key = std::pair<std::string, std::string>;

Key key_of(const Json& row) {
    return {text_of(row, "uri"), text_of(row, "uuid")};
}

/// Time spent on each step, by guest.
std::map<Key, std::map<std::string, Duration>> times_of(const Json& spans) {
    std::map<Key, std::map<std::string, Duration>> times;
    for (const auto& span : spans)
        if (const auto begin = time_of(span, "begin_usec"), end = time_of(span, "end_usec");
            begin && end)
            times[key_of(span)][text_of(span, "what")] += *end - *begin;
    return times;
}

/// How long at least one save of each URI was under way.
std::map<std::string, Duration> busy_of(const Json& spans) {
    std::map<std::string, std::vector<std::pair<TimePoint, TimePoint>>> saves;
    for (const auto& span : spans)
        if (const auto begin = time_of(span, "begin_usec"), end = time_of(span, "end_usec");
            begin && end && text_of(span, "what") == "save")
            saves[text_of(span, "uri")].emplace_back(*begin, *end);
    std::map<std::string, Duration> busy;
    for (auto& [uri, all] : saves) {
        std::ranges::sort(all);
        TimePoint counted{};
        for (const auto& [begin, end] : all) {
            busy[uri] += std::max(end - std::max(begin, counted), Duration::zero());
            counted = std::max(counted, end);
        }
    }
    return busy;
}

class Learner {
public:
    explicit Learner(plan::Fleet& fleet) : fleet_(fleet) {
        for (auto& guest : fleet.guests)
            guests_[{guest.uri, guest.uuid.str()}] = &guest;
    }

    void learn(const Json& guests, const Json& spans) {
        const auto times = times_of(spans);
        std::map<std::string, std::uint64_t> saved;
        for (const auto& row : guests) {
            saved[text_of(row, "uri")] += number_of(row, "bytes");
            const auto known = guests_.find(key_of(row));
            const auto spent = times.find(key_of(row));
            if (known != guests_.end() && spent != times.end())
                learn(known->second->pace, text_of(row, "outcome"), spent->second);
        }
        for (const auto& [uri, busy] : busy_of(spans)) {
            const double seconds = std::chrono::duration<double>(busy).count();
            if (saved[uri] >= kLeastSaved && seconds > 0)
                fleet_.rates.try_emplace(
                    uri,
                    Bytes{static_cast<std::uint64_t>(static_cast<double>(saved[uri]) / seconds)});
        }
    }

private:
    static void learn(plan::Pace& pace, const std::string& outcome,
                      const std::map<std::string, Duration>& spent) {
        const auto take = [&](std::optional<Duration>& into, const char* what) {
            if (const auto found = spent.find(what); !into && found != spent.end())
                into = found->second;
        };
        // Only of a guest that went this way to its end: others say how long they were waited for.
        if (outcome == "shut-down")
            take(pace.shutdown, "shutdown");
        if (outcome == "started") {
            take(pace.start, "starting");
            take(pace.ready, "settling");
        }
    }

    plan::Fleet& fleet_;
    std::map<Key, plan::Guest*> guests_;
};

}  // namespace

void learn_from_history(Client& client, plan::Fleet& fleet) {
    Learner learner{fleet};
    for (const auto& run : client.call("ListRuns", {kRuns})) {
        const auto id = static_cast<std::uint32_t>(number_of(run, "run"));
        learner.learn(client.call("RunGuests", {id}), client.call("RunSpans", {id}));
    }
}

}  // namespace guestd::ctl
