// SPDX-License-Identifier: LGPL-2.1-or-later

/// The vtable of org.guestd1.Manager and the trampolines that sd-bus calls. No exception leaves
/// this file towards C, and no varargs are used in it.

#include "systemd/bus_manager.hpp"
#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

template <void (*Method)(Facade&, const Call&)>
int method(sd_bus_message* message, void* userdata, sd_bus_error* error) noexcept {
    try {
        auto& manager = *static_cast<Manager*>(userdata);
        const auto call = std::make_shared<PendingCall>(message, manager.open_calls);
        try {
            Method(manager.facade, call);
        } catch (const Failure& failure) {
            call->refuse(failure);
        } catch (const std::exception& exception) {
            call->refuse(Failure{kErrorInternal, exception.what()});
        }
        return 1;
    } catch (const Failure& failure) {
        return sd_bus_error_set(error, failure.name(), failure.what());
    } catch (...) {
        return -ENOMEM;
    }
}

void version(const StatusView& status, sd_bus_message* into) {
    append(into, status.version);
}
void degraded(const StatusView& status, sd_bus_message* into) {
    append(into, status.degraded);
}
void active_run(const StatusView& status, sd_bus_message* into) {
    append(into, status.active_run ? status.active_run->record.id : RunId{0});
}

template <void (*Write)(const StatusView&, sd_bus_message*)>
int property(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* userdata,
             sd_bus_error* error) noexcept {
    try {
        Write(static_cast<Manager*>(userdata)->facade.status(), reply);
        return 1;
    } catch (const Failure& failure) {
        return sd_bus_error_set(error, failure.name(), failure.what());
    } catch (...) {
        return -ENOMEM;
    }
}

#define NAMES0 ""
#define NAMES1(a) SD_BUS_PARAM(a)
#define NAMES2(a, b) SD_BUS_PARAM(a) SD_BUS_PARAM(b)

// Reading is free and commands ask who calls, so every method is open to unprivileged callers here:
// sd-bus' own default would refuse all of them by capability.
constexpr std::uint64_t kOpen = SD_BUS_VTABLE_UNPRIVILEGED;

const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", property<version>, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Degraded", "s", property<degraded>, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("ActiveRun", "u", property<active_run>, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_METHOD_WITH_NAMES("Status", "", NAMES0, "a{sv}", NAMES1(status), method<status>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("ListGuests", "as", NAMES1(globs), "aa{sv}", NAMES1(guests),
                             method<list_guests>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("ListMetadata", "as", NAMES1(globs), "aa{sv}", NAMES1(metadata),
                             method<list_metadata>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("ListUris", "", NAMES0, "aa{sv}", NAMES1(uris), method<list_uris>,
                             kOpen),
    SD_BUS_METHOD_WITH_NAMES("ListResumeList", "", NAMES0, "aa{sv}", NAMES1(entries),
                             method<list_resume_list>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("ListRuns", "u", NAMES1(limit), "aa{sv}", NAMES1(runs),
                             method<list_runs>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("RunGuests", "u", NAMES1(run), "aa{sv}", NAMES1(guests),
                             method<run_guests>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("RunSpans", "u", NAMES1(run), "aa{sv}", NAMES1(spans),
                             method<run_spans>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Explain", "ss", NAMES2(guest, trigger), "aa{sv}", NAMES1(settings),
                             method<explain>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Boot", "asa{sv}", NAMES2(globs, options), "u", NAMES1(run),
                             method<boot>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Drain", "asa{sv}", NAMES2(globs, options), "u", NAMES1(run),
                             method<drain>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Cancel", "u", NAMES1(run), "b", NAMES1(cancelled), method<cancel>,
                             kOpen),
    SD_BUS_METHOD_WITH_NAMES("Remember", "ss", NAMES2(uri, uuid), "b", NAMES1(remembered),
                             method<remember>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Forget", "ss", NAMES2(uri, uuid), "b", NAMES1(forgotten),
                             method<forget>, kOpen),
    SD_BUS_METHOD_WITH_NAMES("Reload", "", NAMES0, "", NAMES0, method<reload>, kOpen),
    SD_BUS_SIGNAL_WITH_NAMES("RunStarted", "uss",
                             SD_BUS_PARAM(run) SD_BUS_PARAM(kind) SD_BUS_PARAM(trigger), 0),
    SD_BUS_SIGNAL_WITH_NAMES("RunEnded", "ub", NAMES2(run, clean), 0),
    SD_BUS_SIGNAL_WITH_NAMES("GuestsChanged", "ua(ssssss)", NAMES2(run, changes), 0),
    SD_BUS_SIGNAL_WITH_NAMES("Progress", "ua{sv}", NAMES2(run, progress), 0),
    SD_BUS_VTABLE_END,
};

}  // namespace

const sd_bus_vtable* const kManagerVtable = vtable;

}  // namespace guestd::bus
