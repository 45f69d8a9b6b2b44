// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/keys.hpp"

#include <algorithm>
#include <map>

#include "config/choice.hpp"
#include "config/span.hpp"

namespace guestd::config {
namespace {

template <class T>
struct Owner;
template <class T, class C>
struct Owner<T C::*> {
    using type = C;
};

template <class Policy>
Policy* root(const Targets& targets) {
    if constexpr (std::is_same_v<Policy, DaemonPolicy>)
        return targets.daemon;
    else if constexpr (std::is_same_v<Policy, UriPolicy>)
        return targets.uri;
    else
        return targets.guest;
}

/// A path of members: Member<&GuestPolicy::start, &StartPolicy::retry>.
template <auto First, auto... Rest>
struct Member {
    using Policy = typename Owner<decltype(First)>::type;
    static auto& at(Policy& policy) { return ((policy.*First).*....*Rest); }
    template <class T>
    static void set(Policy& policy, const T& value) {
        at(policy) = value;
    }
    static auto value(Policy& policy) { return at(policy); }
};

/// boot.max_parallel is two members.
struct ParallelMember {
    using Policy = UriPolicy;
    static void set(UriPolicy& policy, const ParallelLimit& value) {
        policy.adaptive_parallel = value.automatic;
        policy.max_parallel = value.automatic ? UriPolicy{}.max_parallel : value.most;
    }
    static ParallelLimit value(UriPolicy& policy) {
        return {policy.max_parallel, policy.adaptive_parallel};
    }
};

template <class Codec, class Access>
struct Functions {
    using T = typename Codec::type;
    static Parsed<Value> parse(const Node& node, const Limits& limits) {
        return Codec::parse(node, limits).map([](T value) { return Value{std::move(value)}; });
    }
    static std::string format(const Value& value) {
        return Codec::format(std::any_cast<const T&>(value));
    }
    static void apply(const Value& value, const Targets& targets) {
        if (auto* policy = root<typename Access::Policy>(targets))
            Access::set(*policy, std::any_cast<const T&>(value));
    }
    static Value read(const Targets& targets) {
        return T{Access::value(*root<typename Access::Policy>(targets))};
    }
};

template <class Codec, class Access>
Key key(std::string_view name, Scope scope, Limits limits, std::string_view help) {
    using F = Functions<Codec, Access>;
    return {name,     scope,          help,      limits,   Codec::shape,
            F::parse, Codec::allowed, F::format, F::apply, F::read};
}

constexpr Limits kAny{};
/// Zero would mean "at once", which nobody means by a time to wait; a millisecond serves tests.
constexpr Limits kTime{1000, kLongestSpan.count()};
constexpr Limits kTimeOrZero{0, kLongestSpan.count()};
constexpr Limits kPercent{0, 100};
/// More guests at once than any host has.
constexpr Limits kCount{0, 10'000};
/// libvirtd's default, and more than anybody gives it.
constexpr Limits kWorkers{20, 1000};
/// 2^60: enough for any memory, and sums stay in range.
constexpr Limits kSize{0, std::int64_t{1} << 60};

template <auto... Path>
using Start = Member<&GuestPolicy::start, Path...>;
template <auto... Path>
using Stop = Member<&GuestPolicy::stop, Path...>;

std::vector<Key> daemon_keys() {
    using enum Scope;
    return {
        key<UriCodec, Member<&DaemonPolicy::uris>>(
            "daemon.uris", daemon, kAny, "The libvirt connections whose guests are looked after."),
        key<Choice<OnStop>, Member<&DaemonPolicy::on_stop>>(
            "daemon.on_stop", daemon, kAny,
            "What a stop of the service means: auto drains only when the host goes down."),
        key<Boolean, Member<&DaemonPolicy::early_drain>>(
            "daemon.early_drain", daemon, kAny,
            "Drain when logind announces that the host goes down (systemd 255), not only when "
            "units are stopped."),
        key<Span, Member<&DaemonPolicy::connect_timeout>>(
            "daemon.connect_timeout", daemon, kTime,
            "Time for one attempt to connect; attempts go on with back-off."),
        key<Whole<unsigned>, Member<&DaemonPolicy::max_workers>>(
            "daemon.max_workers", daemon, kWorkers,
            "What libvirtd serves at once, where its own max_workers was raised (beyond 100, and "
            "on other hosts, min_workers too); all but five of it are used."),
        key<Boolean, Member<&DaemonPolicy::metadata>>(
            "daemon.metadata", daemon, kAny,
            "Honour policy in the guests' own metadata (namespace urn:guestd:policy:1)."),
        key<Boolean, Member<&DaemonPolicy::trust_metadata>>(
            "daemon.trust_metadata", daemon, kAny,
            "Metadata may ask for what other guests feel: order in a drain, tier, priority, time "
            "at boot."),
    };
}

std::vector<Key> boot_uri_keys() {
    using enum Scope;
    return {
        key<ParallelLimitCodec, ParallelMember>(
            "boot.max_parallel", uri, kCount,
            "Guests between \"start called\" and \"ready\"; \"auto\" follows the host's pressure."),
        key<Span, Member<&UriPolicy::start_delay>>("boot.start_delay", uri, kTimeOrZero,
                                                   "Least time between two starts."),
        key<Percent, Member<&UriPolicy::pressure, &Pressure::io>>(
            "boot.pressure.io", uri, kPercent,
            "Hold the next start while PSI \"some avg10\" of I/O is above; 0 = off."),
        key<Percent, Member<&UriPolicy::pressure, &Pressure::cpu>>("boot.pressure.cpu", uri,
                                                                   kPercent, "The same for CPU."),
        key<Percent, Member<&UriPolicy::pressure, &Pressure::memory>>(
            "boot.pressure.memory", uri, kPercent, "The same for memory."),
        key<Size, Member<&UriPolicy::min_free_memory>>(
            "boot.min_free_memory", uri, kSize,
            "Hold a start that would leave the host less free memory; 0 = off."),
    };
}

std::vector<Key> boot_guest_keys() {
    using enum Scope;
    return {
        key<Choice<StartChoice>, Start<&StartPolicy::policy>>(
            "boot.policy", guest, kAny,
            "auto: resume list and autostart flag decide; always; never."),
        key<Choice<AutostartMode>, Start<&StartPolicy::autostart>>(
            "boot.autostart", uri, kAny,
            "throttle: guestd starts libvirt's autostart guests; leave: libvirt does."),
        key<Boolean, Start<&StartPolicy::resume>>("boot.resume", guest, kAny,
                                                  "Bring back what the last drain took down."),
        key<ProbeCodec, Start<&StartPolicy::ready>>(
            "boot.ready", guest, kAny, "When a guest counts as ready: all of these probes."),
        key<Span, Start<&StartPolicy::ready_timeout>>(
            "boot.ready_timeout", guest, kTime, "Wait no longer for that, then on_ready_timeout."),
        key<Choice<OnReadyTimeout>, Start<&StartPolicy::on_ready_timeout>>(
            "boot.on_ready_timeout", guest, kAny,
            "continue: go on as if ready; fail: dependents are not started."),
        key<Whole<unsigned>, Start<&StartPolicy::retry, &Retry::attempts>>(
            "boot.retry.attempts", guest, {1, 1000}, "Attempts to start a guest."),
        key<Span, Start<&StartPolicy::retry, &Retry::backoff>>(
            "boot.retry.backoff", guest, kTime, "Pause after the first failure; doubles."),
        key<Span, Start<&StartPolicy::retry, &Retry::max_backoff>>(
            "boot.retry.max_backoff", guest, kTime, "Longest pause between attempts."),
        key<Boolean, Start<&StartPolicy::sync_time>>(
            "boot.sync_time", guest, kAny, "Set a restored guest's clock once its agent answers."),
        key<Boolean, Start<&StartPolicy::bypass_cache>>("boot.bypass_cache", guest, kAny,
                                                        "Restore without the host's page cache."),
        key<Choice<RestoreFailure>, Start<&StartPolicy::restore_failure>>(
            "boot.restore_failure", guest, kAny,
            "A saved image that cannot be restored: hold it, or cold-boot without it."),
        key<Choice<PendingConfig>, Start<&StartPolicy::pending_config>>(
            "boot.pending_config", guest, kAny,
            "Definition changed while saved: resume the old one, or cold-boot the new."),
        key<NeedCodec, Start<&StartPolicy::needs>>("boot.needs", guest, kAny,
                                                   "Gates: the guest waits until all are there."),
    };
}

std::vector<Key> shutdown_keys() {
    using enum Scope;
    return {
        key<LadderCodec, Stop<&StopPolicy::stop>>(
            "shutdown.stop", guest, kAny,
            "The stop ladder: each step has its time, the next follows on timeout or refusal."),
        key<Whole<unsigned>, Member<&UriPolicy::parallel_shutdown>>(
            "shutdown.parallel_shutdown", uri, kCount,
            "Guests asked to shut down at once; 0 = no limit of ours."),
        key<Whole<unsigned>, Member<&UriPolicy::parallel_save>>(
            "shutdown.parallel_save", uri, kCount,
            "Guests saved at once; 0 = chosen from measured write bandwidth."),
        key<Boolean, Stop<&StopPolicy::pause_before_save>>(
            "shutdown.pause_before_save", guest, kAny,
            "Freeze memory in save order, so that images are small and final."),
        key<Span, Stop<&StopPolicy::resend>>(
            "shutdown.resend", guest, kTimeOrZero,
            "Ask again this often: a booting OS misses an ACPI button press; 0 = never."),
        key<Span, Member<&UriPolicy::deadline>>("shutdown.deadline", uri, kTime,
                                                "Hard end of a drain, per URI."),
        key<Boolean, Stop<&StopPolicy::bypass_cache>>("shutdown.bypass_cache", guest, kAny,
                                                      "Save without the host's page cache."),
        key<Choice<TransientRule>, Stop<&StopPolicy::transient>>(
            "shutdown.transient", guest, kAny,
            "Transient guests, which can be neither saved nor brought back."),
        key<Choice<PausedRule>, Stop<&StopPolicy::paused>>("shutdown.paused", guest, kAny,
                                                           "Paused guests."),
        key<Span, Stop<&StopPolicy::busy>>(
            "shutdown.busy", guest, kTimeOrZero,
            "Wait this long for a backup, migration or block job, then abort it."),
    };
}

std::vector<Key> guest_keys() {
    using enum Scope;
    return {
        key<Choice<Tier>, Member<&GuestPolicy::tier>>(
            "tier", guest_only, kAny, "Who gets the time when there is too little."),
        key<Whole<int>, Member<&GuestPolicy::priority>>("priority", guest_only, {-1000, 1000},
                                                        "Higher starts earlier and stops later."),
        key<GlobCodec, Member<&GuestPolicy::after>>("after", guest_only, kAny,
                                                    "Start after these guests, stop before them."),
        key<GlobCodec, Member<&GuestPolicy::requires_>>(
            "requires", guest_only, kAny, "Like after, and do not start without them."),
    };
}

std::vector<Key> make_keys() {
    std::vector<Key> keys;
    for (auto part : {daemon_keys, boot_uri_keys, boot_guest_keys, shutdown_keys, guest_keys})
        std::ranges::move(part(), std::back_inserter(keys));
    return keys;
}

bool allowed_in(Scope scope, TableKind kind) {
    switch (scope) {
        case Scope::daemon:
            return kind == TableKind::global;
        case Scope::uri:
            return kind != TableKind::guest;
        case Scope::guest:
            return true;
        case Scope::guest_only:
            return kind == TableKind::guest;
    }
    return false;
}

using Index = std::map<std::string, const Key*, std::less<>>;

Index make_index(TableKind kind) {
    Index index;
    for (const auto& key : all_keys())
        if (allowed_in(key.scope, kind))
            index.emplace(spelling(key, kind), &key);
    return index;
}

const Index& index_of(TableKind kind) {
    static const Index global = make_index(TableKind::global);
    static const Index uri = make_index(TableKind::uri);
    static const Index guest = make_index(TableKind::guest);
    switch (kind) {
        case TableKind::global:
            return global;
        case TableKind::uri:
            return uri;
        case TableKind::guest:
            return guest;
    }
    return global;
}

constexpr std::string_view kBoot = "boot.";
constexpr std::string_view kStart = "start.";

}  // namespace

std::span<const Key> all_keys() {
    static const std::vector<Key> keys = make_keys();
    return keys;
}

std::string spelling(const Key& key, TableKind kind) {
    if (kind == TableKind::guest && key.name.starts_with(kBoot))
        return std::string{kStart} + std::string{key.name.substr(kBoot.size())};
    return std::string{key.name};
}

const Key* find_key(TableKind kind, std::string_view spelled) {
    const auto& index = index_of(kind);
    const auto found = index.find(spelled);
    return found == index.end() ? nullptr : found->second;
}

const Key* find_key_anywhere(std::string_view spelled) {
    const auto global = spelled.starts_with(kStart)
                            ? std::string{kBoot} + std::string{spelled.substr(kStart.size())}
                            : std::string{spelled};
    const auto key = std::ranges::find(all_keys(), global, &Key::name);
    return key == all_keys().end() ? nullptr : &*key;
}

std::vector<std::string_view> names_below(TableKind kind, std::string_view prefix) {
    std::vector<std::string_view> names;
    for (const auto& [spelled, key] : index_of(kind)) {
        if (!spelled.starts_with(prefix))
            continue;
        const auto rest = std::string_view{spelled}.substr(prefix.size());
        const auto name = rest.substr(0, rest.find('.'));
        if (names.empty() || names.back() != name)
            names.push_back(name);
    }
    return names;
}

}  // namespace guestd::config
