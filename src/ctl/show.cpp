// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl show: one guest, and every setting that holds for it with the place it comes from.

#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/triggers.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

std::string facts(const Json& guest, const Terminal& out) {
    render::Table table{{{.title = "", .right = true}, {.title = "", .shrink = 20}}};
    const auto row = [&](const char* label, const std::string& text,
                         render::Style style = render::Style::plain) {
        if (!text.empty())
            table.add({{std::string{label} + ":"}, {text, style}});
    };
    const std::string state = text_of(guest, "state");
    row("Guest", text_of(guest, "name"), render::Style::bold);
    row("UUID", text_of(guest, "uuid"));
    row("URI", text_of(guest, "uri"));
    row("State", state, render::style_of_state(state));
    row("Definition", flag_of(guest, "persistent") ? "persistent" : "transient");
    row("Autostart", flag_of(guest, "autostart") ? "yes" : "no");
    row("Saved image", flag_of(guest, "managed_save") ? "yes" : "no");
    const std::string phase = text_of(guest, "phase");
    if (!phase.empty())
        row("Run does", phase + " for " + elapsed_since(time_of(guest, "since_usec")));
    const std::string outcome = text_of(guest, "outcome");
    if (outcome != "pending")
        row("Outcome", outcome, render::style_of_outcome(outcome));
    row("Detail", guest_detail(guest));
    return table.str({.width = out.width, .colour = out.colour, .header = false});
}

int show(Context& context, const std::string& name, const std::string& trigger) {
    const Json guests = context.client().call("ListGuests", {Strings{name}});
    if (guests.empty())
        throw Stop{kExitFailure, "there is no guest '" + name + "'"};
    Json all = Json::array();
    std::string text;
    for (const auto& guest : guests) {
        // By UUID: a name may be that of several guests, or look like a glob.
        const Json settings = context.client().call("Explain", {text_of(guest, "uuid"), trigger});
        all.push_back({{"guest", guest}, {"settings", settings}});
        text += (text.empty() ? "" : "\n") + facts(guest, terminal());
        text += "\n" + settings_table(settings, terminal());
    }
    if (context.json)
        print_json(all);
    else
        print(text);
    return kExitOk;
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("show", "Show a guest and the settings that hold for it");
    auto name = std::make_shared<std::string>();
    auto trigger = std::make_shared<std::string>();
    verb->add_option("GUEST", *name, "Name, UUID or glob")->required();
    add_trigger(*verb, *trigger, "Settings as in a drain for this reason");
    verb->callback([&context, name, trigger] {
        context.action = [&context, name, trigger] { return show(context, *name, *trigger); };
    });
}

}  // namespace guestd::ctl
