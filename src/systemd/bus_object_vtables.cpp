// SPDX-License-Identifier: LGPL-2.1-or-later

/// The vtables of org.guestd1.Guest and org.guestd1.Run: properties only, of views that
/// Objects found.

#include <array>
#include <tuple>

#include "systemd/bus_names.hpp"
#include "systemd/bus_objects.hpp"

namespace guestd::bus {
namespace {

template <class View, void (*Write)(const View&, sd_bus_message*)>
int property(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* userdata,
             sd_bus_error* error) noexcept {
    try {
        Write(*static_cast<const View*>(userdata), reply);
        return 1;
    } catch (const Failure& failure) {
        return sd_bus_error_set(error, failure.name(), failure.what());
    } catch (...) {
        return -ENOMEM;
    }
}

void append_number(sd_bus_message* into, std::uint64_t number) {
    check(sd_bus_message_append_basic(into, 't', &number), "write a number");
}

void append_time(sd_bus_message* into, TimePoint time) {
    append_number(into,
                  time == kNever ? 0 : static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

std::string_view outcome_of(const GuestView& view) {
    return view.run == 0 ? "" : to_string(view.outcome);
}

// In the order of the tuples below.
constexpr std::array kGuestChanging = {"Name", "State", "Persistent", "Autostart", "ManagedSave",
                                       "Run",  "Phase", "HeldFor",    "Outcome",   "Cause"};
auto changing(const GuestView& view) {
    return std::tuple{std::string_view{view.name},
                      view.state,
                      view.persistent,
                      view.autostart,
                      view.managed_save,
                      view.run,
                      std::string_view{view.phase},
                      std::string_view{view.held_for},
                      outcome_of(view),
                      std::string_view{view.cause}};
}

constexpr std::array kRunChanging = {"State",  "Deadline", "Ended",  "Clean",
                                     "Guests", "Done",     "Unclean"};
auto changing(const RunView& view) {
    return std::tuple{view.record.state, view.record.deadline, view.record.ended,
                      view.record.clean, view.guests,          view.done,
                      view.unclean};
}

template <std::size_t... Index, class Tuple, class Names>
std::vector<const char*> differing(std::index_sequence<Index...>, const Tuple& before,
                                   const Tuple& after, const Names& names) {
    static_assert(sizeof...(Index) == std::tuple_size_v<Names>);
    std::vector<const char*> changed;
    const auto compare = [&](bool differs, const char* name) {
        if (differs)
            changed.push_back(name);
    };
    (compare(std::get<Index>(before) != std::get<Index>(after), names[Index]), ...);
    return changed;
}

template <class View, class Names>
std::vector<const char*> differing(const View& before, const View& after, const Names& names) {
    using Tuple = decltype(changing(before));
    return differing(std::make_index_sequence<std::tuple_size_v<Tuple>>{}, changing(before),
                     changing(after), names);
}

using Guest = GuestView;
using Run = RunView;
using Into = sd_bus_message*;

void uri(const Guest& guest, Into into) {
    append(into, std::string_view{guest.uri});
}
void uuid(const Guest& guest, Into into) {
    append(into, std::string_view{guest.uuid.str()});
}
void name(const Guest& guest, Into into) {
    append(into, std::string_view{guest.name});
}
void state(const Guest& guest, Into into) {
    append(into, to_string(guest.state));
}
void persistent(const Guest& guest, Into into) {
    append(into, guest.persistent);
}
void autostart(const Guest& guest, Into into) {
    append(into, guest.autostart);
}
void managed_save(const Guest& guest, Into into) {
    append(into, guest.managed_save);
}
void run(const Guest& guest, Into into) {
    append(into, guest.run);
}
void phase(const Guest& guest, Into into) {
    append(into, std::string_view{guest.phase});
}
void held_for(const Guest& guest, Into into) {
    append(into, std::string_view{guest.held_for});
}
void outcome(const Guest& guest, Into into) {
    append(into, outcome_of(guest));
}
void cause(const Guest& guest, Into into) {
    append(into, std::string_view{guest.cause});
}
void bytes_done(const Guest& guest, Into into) {
    append_number(into, guest.bytes_done.count);
}
void bytes_total(const Guest& guest, Into into) {
    append_number(into, guest.bytes_total.count);
}

void id(const Run& view, Into into) {
    append(into, view.record.id);
}
void kind(const Run& view, Into into) {
    append(into, to_string(view.record.kind));
}
void trigger(const Run& view, Into into) {
    append(into, to_string(view.record.trigger));
}
void boot_id(const Run& view, Into into) {
    append(into, std::string_view{view.record.boot_id});
}
void started(const Run& view, Into into) {
    append_time(into, view.record.started);
}
void run_state(const Run& view, Into into) {
    append(into, to_string(view.record.state));
}
void deadline(const Run& view, Into into) {
    append_time(into, view.record.deadline);
}
void ended(const Run& view, Into into) {
    append_time(into, view.record.ended.value_or(kNever));
}
void clean(const Run& view, Into into) {
    append(into, view.record.ended.has_value() && view.record.clean);
}
void guests(const Run& view, Into into) {
    append(into, std::uint32_t{view.guests});
}
void done(const Run& view, Into into) {
    append(into, std::uint32_t{view.done});
}
void unclean(const Run& view, Into into) {
    append(into, std::uint32_t{view.unclean});
}

constexpr std::uint64_t kConst = SD_BUS_VTABLE_PROPERTY_CONST;
constexpr std::uint64_t kTold = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
/// Grows all the time: whoever wants to see that listens to Progress.
constexpr std::uint64_t kSilent = 0;

const sd_bus_vtable guest_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Uri", "s", (property<Guest, uri>), 0, kConst),
    SD_BUS_PROPERTY("Uuid", "s", (property<Guest, uuid>), 0, kConst),
    SD_BUS_PROPERTY("Name", "s", (property<Guest, name>), 0, kTold),
    SD_BUS_PROPERTY("State", "s", (property<Guest, state>), 0, kTold),
    SD_BUS_PROPERTY("Persistent", "b", (property<Guest, persistent>), 0, kTold),
    SD_BUS_PROPERTY("Autostart", "b", (property<Guest, autostart>), 0, kTold),
    SD_BUS_PROPERTY("ManagedSave", "b", (property<Guest, managed_save>), 0, kTold),
    SD_BUS_PROPERTY("Run", "u", (property<Guest, run>), 0, kTold),
    SD_BUS_PROPERTY("Phase", "s", (property<Guest, phase>), 0, kTold),
    SD_BUS_PROPERTY("HeldFor", "s", (property<Guest, held_for>), 0, kTold),
    SD_BUS_PROPERTY("Outcome", "s", (property<Guest, outcome>), 0, kTold),
    SD_BUS_PROPERTY("Cause", "s", (property<Guest, cause>), 0, kTold),
    SD_BUS_PROPERTY("BytesDone", "t", (property<Guest, bytes_done>), 0, kSilent),
    SD_BUS_PROPERTY("BytesTotal", "t", (property<Guest, bytes_total>), 0, kSilent),
    SD_BUS_VTABLE_END,
};

const sd_bus_vtable run_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Id", "u", (property<Run, id>), 0, kConst),
    SD_BUS_PROPERTY("Kind", "s", (property<Run, kind>), 0, kConst),
    SD_BUS_PROPERTY("Trigger", "s", (property<Run, trigger>), 0, kConst),
    SD_BUS_PROPERTY("BootId", "s", (property<Run, boot_id>), 0, kConst),
    SD_BUS_PROPERTY("Started", "t", (property<Run, started>), 0, kConst),
    SD_BUS_PROPERTY("State", "s", (property<Run, run_state>), 0, kTold),
    SD_BUS_PROPERTY("Deadline", "t", (property<Run, deadline>), 0, kTold),
    SD_BUS_PROPERTY("Ended", "t", (property<Run, ended>), 0, kTold),
    SD_BUS_PROPERTY("Clean", "b", (property<Run, clean>), 0, kTold),
    SD_BUS_PROPERTY("Guests", "u", (property<Run, guests>), 0, kTold),
    SD_BUS_PROPERTY("Done", "u", (property<Run, done>), 0, kTold),
    SD_BUS_PROPERTY("Unclean", "u", (property<Run, unclean>), 0, kTold),
    SD_BUS_VTABLE_END,
};

}  // namespace

const sd_bus_vtable* const kGuestVtable = guest_vtable;
const sd_bus_vtable* const kRunVtable = run_vtable;

std::vector<const char*> changed_properties(const GuestView& before, const GuestView& after) {
    return differing(before, after, kGuestChanging);
}

std::vector<const char*> changed_properties(const RunView& before, const RunView& after) {
    return differing(before, after, kRunChanging);
}

}  // namespace guestd::bus
