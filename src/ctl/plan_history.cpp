// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_history.hpp"

#include <map>
#include <utility>

#include "ctl/context.hpp"
#include "ctl/run_times.hpp"

namespace guestd::ctl {
namespace {

/// Newest runs that are looked at: guests change, and each run costs two questions.
constexpr std::uint32_t kRuns = 8;
/// Less than this was no measurement of a disk.
constexpr std::uint64_t kLeastSaved = 16ULL << 20;

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
            const auto known = guests_.find(guest_key(row));
            const auto spent = times.find(guest_key(row));
            if (known != guests_.end() && spent != times.end())
                learn(known->second->pace, text_of(row, "outcome"), spent->second.time);
        }
        for (const auto& [uri, busy] : saving_times_of(spans)) {
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
    std::map<GuestKey, plan::Guest*> guests_;
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
