// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The configuration as a whole: loaded once, then immutable, and asked for policy.
///
/// A configuration with any problem is refused whole. Who has none falls back on the last good copy
/// (`bundle`) and then on `built_in`.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/layer.hpp"
#include "config/metadata.hpp"
#include "config/problem.hpp"
#include "config/sources.hpp"
#include "guestd/policy.hpp"

namespace guestd::config {

/// One effective value and where it came from.
struct Explained {
    std::string key;    ///< "shutdown.stop", "start.ready": as one would write it for that guest
    std::string value;  ///< as TOML
    Origin origin;
};

class Config : public PolicySource {
public:
    /// Reads (blocks on the disk), checks everything, and reports every problem there is, in the
    /// order of the sources. Never throws. Without any source: the built-in defaults.
    static tl::expected<std::shared_ptr<const Config>, Problems> load(const Sources& sources);
    static tl::expected<std::shared_ptr<const Config>, Problems> load_bundle(
        std::string_view bundle);
    static std::shared_ptr<const Config> built_in();

    GuestPolicy guest(const GuestFacts& facts, std::optional<Trigger> trigger) const override;
    UriPolicy uri(const std::string& uri, std::optional<Trigger> trigger) const override;
    const DaemonPolicy& daemon() const override { return daemon_; }

    /// What is allowed but hardly meant: a deadline shorter than its ladders, a URI that is
    /// nobody's.
    const Problems& warnings() const { return warnings_; }

    /// The first thing that guestd needs the network for: a URI of another host, a `tcp:` probe, or
    /// an `exec:` probe, whose program may; with its place. None: it does without, unless a guest's
    /// own metadata has a `tcp:` probe.
    std::optional<Problem> network_need() const;

    /// All sources, so that `load_bundle` gives this configuration again, origins included.
    const std::string& bundle() const { return bundle_; }

    /// Every effective value, in the order of the key table. Without a guest: the global tables.
    /// For a guest: its own values and those of its URI. Allocates freely; not for hot paths.
    std::vector<Explained> explain(const GuestFacts* facts, std::optional<Trigger> trigger) const;

    /// What is wrong in a guest's own metadata; those parts are ignored. `file` is "metadata".
    Problems metadata_problems(const GuestFacts& facts) const;

    /// Guest tables and `after`/`requires` patterns in them that match none of these guests: at
    /// best leftovers, at worst slips. Call when the whole fleet is known.
    Problems unmatched(const std::vector<GuestFacts>& fleet) const;

private:
    friend class Loader;
    friend class Checker;
    Config() = default;

    /// One layer's turn: its assignments for all triggers, or those for one.
    struct Pass {
        const Layer* layer;
        std::optional<Trigger> trigger;
    };
    /// All that holds for a guest, in order of strength, from rank `from` on.
    std::vector<Pass> guest_passes(const GuestFacts& facts, const Metadata& metadata, Rank from,
                                   std::optional<Trigger> trigger) const;
    std::vector<Pass> uri_passes(const std::string& uri, Rank from,
                                 std::optional<Trigger> trigger) const;
    Metadata metadata_of(const GuestFacts& facts) const;
    /// What of it holds: no order in a drain, where others would have to wait for this guest; and
    /// of what guests share no more than the configuration gives it. The rest is in `problems`.
    Metadata granted(const GuestFacts& facts, std::optional<Trigger> trigger) const;
    /// What holds for a guest without its metadata's settings.
    GuestPolicy configured(const GuestFacts& facts, const std::vector<std::string>& tags,
                           std::optional<Trigger> trigger) const;

    struct Base {
        UriPolicy uri;
        GuestPolicy guest;
    };
    const Base& base(std::optional<Trigger> trigger) const;

    std::vector<Layer> layers_;  ///< in the order of the text
    DaemonPolicy daemon_;
    std::vector<Base> bases_;  ///< global tables merged: without trigger, then one per trigger
    Problems warnings_;
    std::string bundle_;
};

}  // namespace guestd::config
