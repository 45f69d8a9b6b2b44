// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The methods of org.guestd1.Manager, typed: each reads its arguments, asks the facade and answers
/// the call. They throw Failure for what is wrong with the arguments; bus_vtable.cpp catches it.

#include "systemd/bus_call.hpp"
#include "systemd/bus_facade.hpp"

namespace guestd::bus {

void status(Facade& facade, const Call& call);
void list_guests(Facade& facade, const Call& call);
void list_metadata(Facade& facade, const Call& call);
void list_uris(Facade& facade, const Call& call);
void list_resume_list(Facade& facade, const Call& call);
void list_runs(Facade& facade, const Call& call);
void run_guests(Facade& facade, const Call& call);
void run_spans(Facade& facade, const Call& call);
void explain(Facade& facade, const Call& call);

// Only for callers that may command.
void boot(Facade& facade, const Call& call);
void drain(Facade& facade, const Call& call);
void cancel(Facade& facade, const Call& call);
void remember(Facade& facade, const Call& call);
void forget(Facade& facade, const Call& call);
void reload(Facade& facade, const Call& call);

/// What the interface works on.
struct Manager {
    Facade& facade;
    OpenCalls open_calls;
};

/// Vtable of the interface; its userdata is a Manager.
extern const sd_bus_vtable* const kManagerVtable;

}  // namespace guestd::bus
