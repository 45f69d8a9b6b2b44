// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A policy without configuration files: defaults, and exceptions by name.

#include <map>
#include <string>

#include "guestd/policy.hpp"

namespace guestd::sim {

class Policy : public PolicySource {
public:
    GuestPolicy guests;                        ///< of those without a policy of their own
    std::map<std::string, GuestPolicy> named;  ///< by the guest's name
    UriPolicy uris;
    std::map<std::string, UriPolicy> named_uris;
    DaemonPolicy general;

    /// The guest's own policy; a copy of `guests` when it is asked for first.
    GuestPolicy& of(const std::string& name) {
        return named.try_emplace(name, guests).first->second;
    }

    GuestPolicy guest(const GuestFacts& facts, std::optional<Trigger>) const override {
        const auto found = named.find(facts.name);
        return found == named.end() ? guests : found->second;
    }
    UriPolicy uri(const std::string& uri, std::optional<Trigger>) const override {
        const auto found = named_uris.find(uri);
        return found == named_uris.end() ? uris : found->second;
    }
    const DaemonPolicy& daemon() const override { return general; }
};

}  // namespace guestd::sim
