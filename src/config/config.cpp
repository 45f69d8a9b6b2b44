// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/glob.hpp"

namespace guestd::config {
namespace {

constexpr Rank next(Rank rank) {
    return static_cast<Rank>(static_cast<int>(rank) + 1);
}

/// Of what guests share: time in a drain, turns and places in a boot, libvirt's attention.
bool asks_for_more(const GuestPolicy& asked, const GuestPolicy& given) {
    const auto& retry = asked.start.retry;
    const auto& most = given.start.retry;
    const auto pause = [](Duration resend) { return resend > 0s ? resend : Duration::max(); };
    return asked.tier < given.tier || asked.priority > given.priority ||
           asked.start.ready_timeout > given.start.ready_timeout ||
           retry.attempts > most.attempts || retry.backoff < most.backoff ||
           retry.max_backoff < most.max_backoff ||
           pause(asked.stop.resend) < pause(given.stop.resend);
}

bool is_order(const Assignment& assignment) {
    return assignment.key->name == "after" || assignment.key->name == "requires";
}

/// Values that are in force after some passes, with where the last word came from.
class Account {
public:
    explicit Account(const Targets& targets) : targets_(targets), origins_(all_keys().size()) {}

    void take(const Layer& layer, std::optional<Trigger> trigger) {
        for (const auto& assignment : layer.assignments)
            if (assignment.trigger == trigger)
                origins_[index(*assignment.key)] = origin_of(layer, assignment);
        apply(layer, trigger, targets_);
    }

    std::vector<Explained> report(TableKind kind, bool with_daemon) const {
        std::vector<Explained> all;
        for (const auto& key : all_keys()) {
            if (key.scope == Scope::daemon && !with_daemon)
                continue;
            if (key.scope == Scope::guest_only && kind == TableKind::global)
                continue;
            auto origin = origins_[index(key)];
            if (origin.layer.empty())
                origin.layer = "built-in";
            // A URI's values cannot be set for one guest: they keep their global spelling.
            const auto spelled = spelling(key, key.scope == Scope::uri ? TableKind::global : kind);
            all.push_back({spelled, key.format(key.read(targets_)), std::move(origin)});
        }
        return all;
    }

private:
    static std::size_t index(const Key& key) {
        return static_cast<std::size_t>(&key - all_keys().data());
    }

    Targets targets_;
    std::vector<Origin> origins_;
};

}  // namespace

Metadata Config::metadata_of(const GuestFacts& facts) const {
    if (!daemon_.metadata || facts.metadata.empty())
        return {};
    return parse_metadata(facts.metadata);
}

GuestPolicy Config::configured(const GuestFacts& facts, const std::vector<std::string>& tags,
                               std::optional<Trigger> trigger) const {
    auto policy = base(trigger).guest;
    for (const auto& pass : guest_passes(facts, {.tags = tags}, Rank::uri, trigger))
        apply(*pass.layer, pass.trigger, {.guest = &policy});
    return policy;
}

Metadata Config::granted(const GuestFacts& facts, std::optional<Trigger> trigger) const {
    auto metadata = metadata_of(facts);
    if (daemon_.trust_metadata)
        return metadata;
    auto& assignments = metadata.layer.assignments;
    if (trigger)
        std::erase_if(assignments, is_order);
    if (assignments.empty())
        return metadata;
    auto given = configured(facts, metadata.tags, trigger);
    auto asked = given;
    std::erase_if(assignments, [&](const Assignment& assignment) {
        if (assignment.trigger && assignment.trigger != trigger)
            return false;
        const auto& key = *assignment.key;
        const Value before = key.read({.guest = &asked});
        key.apply(assignment.value, {.guest = &asked});
        if (!asks_for_more(asked, given))
            return false;
        key.apply(before, {.guest = &asked});
        if (metadata.problems.size() < kMostProblems)
            metadata.problems.push_back(
                {"metadata", assignment.place.line, assignment.place.column,
                 fmt::format(
                     "'{}' is {}; the configuration grants {}, and metadata may not ask for "
                     "more than that",
                     spelling(key, TableKind::guest), key.format(assignment.value),
                     key.format(key.read({.guest = &given})))});
        return true;
    });
    return metadata;
}

std::vector<Config::Pass> Config::guest_passes(const GuestFacts& facts, const Metadata& metadata,
                                               Rank from, std::optional<Trigger> trigger) const {
    std::vector<Pass> passes;
    std::size_t rank_begin = 0;
    const auto end_rank = [&] {
        const auto rank_end = passes.size();
        for (auto i = rank_begin; trigger && i < rank_end; ++i)
            passes.push_back({passes[i].layer, trigger});
        rank_begin = passes.size();
    };
    for (auto rank = from; rank < Rank::metadata; rank = next(rank)) {
        for (const auto& layer : layers_)
            if (layer.rank == rank && matches_guest(layer.matcher, facts, metadata.tags))
                passes.push_back({&layer, std::nullopt});
        end_rank();
    }
    if (!metadata.layer.assignments.empty())
        passes.push_back({&metadata.layer, std::nullopt});
    end_rank();
    return passes;
}

std::vector<Config::Pass> Config::uri_passes(const std::string& uri, Rank from,
                                             std::optional<Trigger> trigger) const {
    // No [[guest]] table can set what holds for a URI, so any facts do, as long as the URI is
    // right.
    auto passes = guest_passes({uri, {}, {}, {}}, {}, from, trigger);
    std::erase_if(passes, [](const Pass& pass) { return pass.layer->rank == Rank::guest; });
    return passes;
}

const Config::Base& Config::base(std::optional<Trigger> trigger) const {
    return bases_[trigger ? static_cast<std::size_t>(*trigger) + 1 : 0];
}

GuestPolicy Config::guest(const GuestFacts& facts, std::optional<Trigger> trigger) const {
    const auto metadata = granted(facts, trigger);
    auto policy = base(trigger).guest;
    for (const auto& pass : guest_passes(facts, metadata, Rank::uri, trigger))
        apply(*pass.layer, pass.trigger, {.guest = &policy});
    return policy;
}

UriPolicy Config::uri(const std::string& uri, std::optional<Trigger> trigger) const {
    auto policy = base(trigger).uri;
    for (const auto& pass : uri_passes(uri, Rank::uri, trigger))
        apply(*pass.layer, pass.trigger, {.uri = &policy});
    return policy;
}

std::vector<Explained> Config::explain(const GuestFacts* facts,
                                       std::optional<Trigger> trigger) const {
    DaemonPolicy daemon;
    UriPolicy uri;
    GuestPolicy guest;
    Account account{{&daemon, &uri, &guest}};
    if (facts == nullptr) {
        for (const auto& pass : guest_passes({}, {}, Rank::global, trigger))
            if (pass.layer->rank == Rank::global)
                account.take(*pass.layer, pass.trigger);
        return account.report(TableKind::global, true);
    }
    const auto metadata = granted(*facts, trigger);
    for (const auto& pass : guest_passes(*facts, metadata, Rank::global, trigger))
        account.take(*pass.layer, pass.trigger);
    return account.report(TableKind::guest, false);
}

Problems Config::metadata_problems(const GuestFacts& facts) const {
    return granted(facts, std::nullopt).problems;
}

}  // namespace guestd::config
