// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Where one URI's threads put what they have to tell, in an order that makes sense.
///
/// Events, listings and re-read states come from different threads and connections. Two rules keep
/// an old reading from overwriting a newer event:
///  - while a listing is being read, events are held back and follow it; replaying one that the
///    listing already contains is harmless, losing one that it does not contain is not;
///  - a re-read state is posted only if the guest has had no event since before the reading;
///    otherwise its reader reads again.
/// After close() nothing is told any more: the sink is never called again.
///
/// The outlet also remembers what is too dear to read again with every call (KnownGuest). All
/// members are thread-safe; none blocks but for the sink, which does not.

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "guestd/ports/hypervisor.hpp"

namespace guestd::libvirt {

/// How much of a guest one reading reads.
enum class Depth {
    least,  ///< what libvirtd's priority workers tell: it must get through when nothing else does
    state,  ///< state and flags; the rest as last read, if it has been and is not stale
    definition,  ///< everything
};

/// What changes only with a guest's definition, or with an event of its own.
struct KnownGuest {
    std::string name;
    bool persistent = false;
    bool active = false;
    Bytes memory{};
    bool agent_channel = false;
    bool agent_connected = false;
    std::string metadata;
    bool remembered = false;
    bool autostart = false;
    /// Runs, and was read to have no managed-save image since it began to.
    bool runs_without_image = false;
    /// Was read to be active before its start was told: an end that is told now may be an older
    /// one.
    bool start_untold = false;
    /// Went down by itself, and that is the last that was told of it.
    bool end_told = false;
    bool stale = true;  ///< the definition has changed since it was read
    /// Target names, of an active guest's devices; empty = not read since they changed.
    std::optional<std::vector<std::string>> disks;
};

/// Fills in what a reading leaves out.
void recall(const KnownGuest& known, GuestInfo& info);

class Outlet {
public:
    /// A guest's place in the stream of events.
    struct Mark {
        std::uint64_t listing = 0;
        std::uint64_t change = 0;
        bool operator==(const Mark&) const = default;
    };

    Outlet(UriId uri, EventSink sink);

    // Event thread.
    void guest_changed(const Uuid& uuid, Lifecycle what, const std::string& name);
    void agent_changed(const Uuid& uuid, bool connected);
    /// Changes nothing that a reading tells.
    void save_written(const Uuid& uuid);
    /// What is known of the guest is no longer true. Told as `defined`: whoever cares reads again.
    void look_again(const Uuid& uuid);
    /// Plugged or unplugged. Tells nobody.
    void devices_changed(const Uuid& uuid);

    // Control thread.
    void begin_listing();
    void publish(InventoryListed listing);
    /// Told once per outage.
    void lost(const std::string& reason);
    /// The agent as its guest's XML shows it; dropped when an event has told meanwhile.
    void agent_found(const Uuid& uuid, const Mark& mark, bool connected);

    /// The newest place of any guest.
    Mark now() const;
    /// Those that were active when libvirt was asked after `seen`. One that is not, though nothing
    /// was told of its end, is suspect, for its event may be under way; one that was suspect the
    /// last time, and of which nothing was told since, is gone: whoever cares reads again. True
    /// while there are suspects.
    bool active_read(const Mark& seen, const std::unordered_set<Uuid>& active);

    // Reader of autostart flags.
    /// Those that are set now, of the connection that is listed; empty = they cannot be read. Told
    /// if one is other than it was known to be, or if they were `asked` for. A change counts as one
    /// of the guest: whoever has read its flag before reads again.
    void autostart_read(const std::optional<std::unordered_set<Uuid>>& flagged, bool asked);

    // Workers.
    Mark mark(const Uuid& uuid) const;
    /// False, and nothing is told, when the guest has changed since `mark`. `depth` is that of the
    /// reading: what was stale before it stays so when it left the definition out.
    bool post(const CallReturned& result, const Mark& mark, Depth depth = Depth::state);
    /// What no event of a guest can overtake: without a state, progress, what is watched.
    void post(Event event);
    /// Whether it is to be brought back; see marks.hpp.
    void marked(const Uuid& uuid, bool remembered);
    /// Dropped when the guest has changed since `mark`.
    void disks_found(const Uuid& uuid, const Mark& mark, std::vector<std::string> disks);
    std::optional<KnownGuest> known(const Uuid& uuid) const;
    /// How many guests are.
    std::size_t active() const;

    // Whoever submits calls, before each of them.
    /// Answers a probe of a guest that ran without an image, and whose end by itself is the last
    /// that libvirt has told and that anybody has asked for: a drain of a thousand would ask for
    /// each of them what was just said. Once; whoever asks again wants to hear it from libvirt. A
    /// guest that somebody starts again at once is off until its start is told, up to a second
    /// later. False: not answered, ask libvirt.
    bool answer(const Call& call);

    void close();

private:
    void tell(Event event);
    void outdate(const Uuid& uuid);
    void tell_gone(const Uuid& uuid);
    void remember(const GuestInfo& info, Depth depth);
    void count_change(const Uuid& uuid);
    Mark current(const Uuid& uuid) const;
    /// Sets the event's `persistent` by what is known, and what is known by the event.
    void digest(GuestChanged& event);

    const UriId uri_;
    EventSink sink_;
    mutable std::mutex mutex_;
    bool closed_ = false;
    bool listing_ = false;
    bool outage_told_ = false;
    std::vector<Event> held_back_;
    std::vector<Uuid> outdated_;  ///< by what came during a listing
    std::uint64_t listings_ = 0;
    std::uint64_t changes_ = 0;
    /// A guest without an entry counts as changed at `forgotten_`, so that dropping an entry
    /// invalidates marks instead of validating them.
    std::unordered_map<Uuid, std::uint64_t> last_change_;
    std::uint64_t forgotten_ = 0;
    std::unordered_map<Uuid, KnownGuest> known_;
    /// Not active at the last look; as of which change of theirs.
    std::unordered_map<Uuid, std::uint64_t> suspects_;
};

}  // namespace guestd::libvirt
