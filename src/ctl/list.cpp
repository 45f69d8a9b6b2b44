// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl list: the guests that guestd knows.

#include <cstdio>

#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

std::string names_of(const Json& guests) {
    std::string text;
    for (const auto& guest : guests)
        text += render::escape_terminal(text_of(guest, "name")) + "\n";
    return text;
}

/// As ls does: what was asked for by name and is not there is told, and a failure; the rest is
/// shown.
int tell_missing(Context& context, const Strings& globs) {
    int status = kExitOk;
    for (const auto& glob : globs)
        if (context.client().call("ListGuests", {Strings{glob}}).empty()) {
            std::fprintf(stderr, "guestctl: there is no guest '%s'\n",
                         render::escape_terminal(glob).c_str());
            status = kExitFailure;
        }
    return status;
}

int list_guests(Context& context, const Strings& globs, bool names) {
    const Json guests = context.client().call("ListGuests", {globs});
    if (context.json)
        print_json(guests);
    else if (names)
        print(names_of(guests));
    else if (!guests.empty())
        print(guest_table(guests, terminal()));
    else if (globs.empty())
        std::fputs("guestd knows no guest.\n", stderr);
    return tell_missing(context, globs);
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("list", "List guests");
    auto globs = std::make_shared<Strings>();
    verb->add_option("GUEST", *globs, "Names, UUIDs or globs; all when none is given");
    auto names = std::make_shared<bool>(false);
    verb->add_flag("--names", *names, "Only names, one in each line: for scripts and completion");
    verb->callback([&context, globs, names] {
        context.action = [&context, globs, names] { return list_guests(context, *globs, *names); };
    });
}

}  // namespace guestd::ctl
