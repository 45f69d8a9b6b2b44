// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Progress of the saves of one URI.
///
/// Reads while a save lasts longer than one interval. A guest whose statistics hang (a stuck
/// monitor) delays the others' progress and nothing else.

#include <map>
#include <memory>

#include "libvirt/rounds.hpp"

namespace guestd::libvirt {

class SaveMonitor : public Rounds {
public:
    explicit SaveMonitor(const std::shared_ptr<UriContext>& context);

    // Thread-safe; none blocks.
    void watch(const Uuid& uuid);
    void unwatch(const Uuid& uuid);
    /// A save that somebody else began: watched until it is over.
    void adopt(const Uuid& uuid);
    /// Whether anybody wants to know; yes at first.
    void enable(bool wanted);

private:
    bool is_idle() const override { return !enabled_ || watched_.empty(); }
    void round(Connection& connection) override;
    void add(const Uuid& uuid, bool adopted);
    void read(Connection& connection, const Uuid& uuid, bool adopted);

    std::map<Uuid, bool> watched_;  ///< true = adopted
    bool enabled_ = true;
};

}  // namespace guestd::libvirt
