// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Guests and runs as objects of the bus:
///
///     /org/guestd1/guest/URI/UUID    org.guestd1.Guest
///     /org/guestd1/run/NUMBER        org.guestd1.Run      the active run, and the last that ended
///
/// Nothing is registered per guest: sd-bus asks here which objects there are, and a snapshot of the
/// facade answers. It is taken anew when something has changed since and somebody asks, so that
/// listing a thousand objects costs one snapshot. Whoever watches is told by comparing the snapshot
/// with the one that was announced last. Loop's thread; never blocks.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "systemd/bus_facade.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::bus {

class Objects {
public:
    /// `facade` must outlive it.
    explicit Objects(Facade& facade) : facade_(facade) {}
    Objects(const Objects&) = delete;
    Objects& operator=(const Objects&) = delete;

    /// On this connection, until `withdraw`. Throws Failure.
    void offer(sd_bus* bus);
    void withdraw() noexcept;
    /// What is read from now on is read anew.
    void changed() { stale_ = true; }
    /// Signals for all that is not as it was announced last. Throws Failure.
    void announce();

private:
    template <class View>
    using ByPath = std::map<std::string, View>;
    struct Snapshot {
        ByPath<GuestView> guests;
        ByPath<RunView> runs;
    };

    Snapshot take() const;
    const Snapshot& current();
    template <class View>
    void announce(const ByPath<View>& before, const ByPath<View>& after);

    template <auto Member>
    static int find(sd_bus*, const char* path, const char*, void* userdata, void** found,
                    sd_bus_error*) noexcept;
    template <auto Member>
    static int list(sd_bus*, const char*, void* userdata, char*** nodes, sd_bus_error*) noexcept;

    Facade& facade_;
    sd_bus* bus_ = nullptr;
    bool stale_ = true;
    Snapshot current_;
    Snapshot announced_;
    std::vector<Slot> slots_;
};

/// "/org/guestd1/guest/qemu_3a_2f_2f_2fsystem/0e8d…": the URI as sd_bus_path_encode(3) writes it,
/// the UUID with "_" for "-".
std::string guest_path(const std::string& uri, const Uuid& uuid);
std::string run_path(RunId run);

extern const sd_bus_vtable* const kGuestVtable;  ///< userdata: a GuestView
extern const sd_bus_vtable* const kRunVtable;    ///< userdata: a RunView

/// Names of the properties that have changed and say so.
std::vector<const char*> changed_properties(const GuestView& before, const GuestView& after);
std::vector<const char*> changed_properties(const RunView& before, const RunView& after);

}  // namespace guestd::bus
