// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl resume-list: the guests that the next boot run brings back.

#include "ctl/context.hpp"
#include "render/style.hpp"
#include "render/table.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

std::string how(const Json& entry) {
    if (flag_of(entry, "transient"))
        return "cannot: was transient";
    std::string text = flag_of(entry, "expect_restore") ? "restored" : "booted";
    if (flag_of(entry, "was_paused"))
        text += ", paused";
    return text;
}

std::string entry_table(const Json& entries, const Terminal& out) {
    render::Table table{{{.title = "GUEST", .shrink = 12},
                         {.title = "COMES BACK"},
                         {.title = "STOPPED", .drop = 1},
                         {.title = "RUN", .right = true, .drop = 2},
                         {.title = "URI", .shrink = 10, .drop = 3},
                         {.title = "LAST ERROR", .shrink = 12}}};
    for (const auto& entry : entries)
        table.add({{text_of(entry, "name")},
                   {how(entry)},
                   {wall_clock(number_of(entry, "since_wall_usec"))},
                   {std::to_string(number_of(entry, "run"))},
                   {text_of(entry, "uri"), render::Style::dim},
                   {text_of(entry, "last_error"), render::Style::bad}});
    return table.empty() ? "No guest waits to be brought back.\n" : table.str(out.layout());
}

/// The one entry that `guest` names, by UUID or name.
Json entry_of(const Json& entries, const std::string& guest) {
    Json found;
    for (const auto& entry : entries) {
        if (text_of(entry, "uuid") == guest)
            return entry;
        if (text_of(entry, "name") != guest)
            continue;
        if (!found.is_null())
            throw Stop{kExitFailure, "several entries are named '" + guest + "': give the UUID"};
        found = entry;
    }
    if (found.is_null())
        throw Stop{kExitFailure, "'" + guest + "' is not in the resume list"};
    return found;
}

int resume_list(Context& context, const Strings& forget) {
    const Json entries = context.client().call("ListResumeList");
    if (forget.empty()) {
        if (context.json)
            print_json(entries);
        else
            print(entry_table(entries, terminal()));
        return kExitOk;
    }
    // All are found before the first is forgotten.
    Json chosen = Json::array();
    for (const auto& guest : forget)
        chosen.push_back(entry_of(entries, guest));
    for (const auto& entry : chosen)
        context.client().command("Forget", {text_of(entry, "uri"), text_of(entry, "uuid")});
    if (context.json)
        print_json({{"forgotten", chosen}});
    else
        print("No longer on the list: " + render::count(chosen.size(), "guest") + ".\n");
    return kExitOk;
}

}  // namespace

void add_resume_list(CLI::App& app, Context& context) {
    auto* verb =
        app.add_subcommand("resume-list", "Show the guests that the next boot run brings back");
    auto forget = std::make_shared<Strings>();
    verb->add_option("--forget", *forget, "Take this guest off the list (name or UUID)")
        ->option_text("GUEST");
    verb->callback([&context, forget] {
        context.action = [&context, forget] { return resume_list(context, *forget); };
    });
}

}  // namespace guestd::ctl
