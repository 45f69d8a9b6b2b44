// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl list: the guests that guestd knows.

#include <cstdio>

#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"

namespace guestd::ctl {
namespace {

int list_guests(Context& context, const Strings& globs) {
    const Json guests = context.client().call("ListGuests", {globs});
    if (context.json)
        print_json(guests);
    else if (guests.empty())
        std::fputs(globs.empty() ? "guestd knows no guest.\n" : "No guest is called so.\n", stderr);
    else
        print(guest_table(guests, terminal()));
    // As ls and grep do: what was asked for by name and is not there is a failure.
    return guests.empty() && !globs.empty() ? kExitFailure : kExitOk;
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("list", "List guests");
    auto globs = std::make_shared<Strings>();
    verb->add_option("GUEST", *globs, "Names, UUIDs or globs; all when none is given");
    verb->callback([&context, globs] {
        context.action = [&context, globs] { return list_guests(context, *globs); };
    });
}

}  // namespace guestd::ctl
