// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl autostart: who starts the guests that are flagged with `virsh autostart`.
///
/// The answer lies in files, so all of this works without guestd; a guestd that runs is told.

#include <unistd.h>

#include "ctl/context.hpp"
#include "ctl/units.hpp"
#include "render/table.hpp"
#include "render/text.hpp"
#include "takeover/conflicts.hpp"
#include "takeover/handover.hpp"

namespace guestd::ctl {
namespace {

using render::Style;
using takeover::HostFacts;
using takeover::Starter;

HostFacts read_facts(const std::string& root) {
    const auto config = config::Config::load(config::default_sources(root));
    auto host = takeover::read_host(config ? config->get() : nullptr, root);
    if (!config)
        host.config_problem = config::render_problem(config.error().front());
    return host;
}

/// Everything that somebody should look at; also what could not be looked at.
Strings warnings_of(const HostFacts& host) {
    Strings found = takeover::conflicts(host);
    if (!host.config_problem.empty())
        found.insert(found.begin(), "the configuration is refused, so libvirt is not held off: " +
                                        host.config_problem);
    if (!host.qemu_conf_readable)
        found.push_back(
            "/etc/libvirt/qemu.conf cannot be read: whether libvirt stops guests "
            "itself (auto_shutdown_*) is not known");
    return found;
}

Json json_of(const HostFacts& host) {
    Json drivers = Json::array();
    for (const auto& driver : host.drivers) {
        Json json = {{"driver", driver.driver.name},
                     {"uri", driver.driver.uri},
                     {"configured", driver.configured},
                     {"started_by", to_string(starter_of(driver, host))},
                     {"marker", driver.marker}};
        if (!driver.setting.empty())
            json.update({{"setting", driver.setting}, {"origin", driver.origin}});
        if (driver.flagged)
            json["flagged"] = *driver.flagged;
        drivers.push_back(std::move(json));
    }
    return {{"drivers", drivers}, {"warnings", warnings_of(host)}};
}

std::string table_of(const HostFacts& host, const Terminal& out) {
    render::Table table{{{.title = "DRIVER"},
                         {.title = "URI", .shrink = 12, .drop = 2},
                         {.title = "STARTED BY"},
                         {.title = "FLAGGED", .right = true},
                         {.title = "MARKER"},
                         {.title = "SETTING"},
                         {.title = "COMES FROM", .shrink = 12, .drop = 1}}};
    for (const auto& driver : host.drivers) {
        const auto starter = starter_of(driver, host);
        table.add({{std::string{driver.driver.name}},
                   {std::string{driver.driver.uri}, Style::dim},
                   {to_string(starter), starter == Starter::nobody ? Style::bad : Style::plain},
                   {driver.flagged ? std::to_string(*driver.flagged) : "?"},
                   {driver.marker ? "there" : "missing"},
                   {driver.setting.empty() ? "-" : driver.setting},
                   {driver.origin, Style::dim}});
    }
    return table.empty() ? "There is no libvirt driver that starts guests by itself.\n"
                         : table.str(out.layout());
}

int show(Context& context, const std::string& root) {
    const auto host = read_facts(root);
    if (context.json) {
        print_json(json_of(host));
        return kExitOk;
    }
    const Terminal out = terminal();
    std::string text = table_of(host, out);
    for (const auto& warning : warnings_of(host))
        text += "\n" + render::paint(Style::warn, "Warning", out.colour) + ": " +
                render::escape_terminal(warning) + "\n";
    print(text);
    return kExitOk;
}

/// With a root of its own nobody runs there.
void must_be_root(const std::string& root) {
    if (root.empty() && ::geteuid() != 0)
        throw Stop{kExitFailure, "only root may change who starts the guests"};
}

/// Adds to `done` what came of it.
void reload(Context& context, Strings& done) {
    try {
        context.client().call("Reload");
        done.emplace_back("guestd has read its configuration again.");
    } catch (const Stop& stop) {
        if (stop.status() != kExitNotConnected)
            throw Stop{kExitFailure, std::string{"the change is made, but guestd refused to read "
                                                 "its configuration again: "} +
                                         stop.what()};
        done.emplace_back("guestd does not run; it finds the change when it starts.");
    }
}

int tell(Context& context, const Strings& done, const char* effect) {
    if (context.json) {
        print_json({{"done", done}, {"effect", effect}});
        return kExitOk;
    }
    for (const auto& line : done)
        print(render::escape_terminal(line) + "\n");
    print(std::string{effect} + "\n");
    return kExitOk;
}

int take(Context& context, const std::string& root) {
    must_be_root(root);
    const auto host = read_facts(root);
    if (!host.guestd_enabled)
        throw Stop{kExitFailure,
                   "guestd.service is not enabled, so nobody would start the guests at the next "
                   "boot: \"systemctl enable guestd\" first"};
    if (!host.hold_enabled && !root.empty())
        throw Stop{kExitFailure, std::string{takeover::kHoldUnit} +
                                     " is not enabled: \"systemctl --root=" + root +
                                     " enable guestd\" first"};
    auto taken = takeover::take(root);
    if (!taken)
        throw Stop{kExitFailure, taken.error().message()};
    Strings done = *taken;
    if (!host.hold_enabled) {
        enable_unit(takeover::kHoldUnit);
        done.push_back(std::string{takeover::kHoldUnit} + " is enabled.");
    }
    if (root.empty())
        reload(context, done);
    return tell(context, done, "guestd starts libvirt's autostart guests from the next boot on.");
}

int give(Context& context, const std::string& root) {
    must_be_root(root);
    auto given = takeover::give(root);
    if (!given)
        throw Stop{kExitFailure, given.error().message()};
    Strings done = *given;
    if (root.empty())
        reload(context, done);
    return tell(context, done,
                "libvirt starts its autostart guests from the next boot on. Until then it stays "
                "held off: it would start\nall of them with its daemon's next start, also those "
                "that somebody has stopped.");
}

}  // namespace

void add_autostart(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand(
        "autostart", "Who starts the guests flagged with \"virsh autostart\": guestd or libvirt");
    auto root = std::make_shared<std::string>();
    verb->add_option("--root", *root, "The host in this folder, and no service is told")
        ->option_text("FOLDER")
        ->check(CLI::ExistingDirectory);
    verb->require_subcommand(1);
    const auto add = [&](const char* name, const char* help,
                         int (*run)(Context&, const std::string&)) {
        verb->add_subcommand(name, help)->callback([&context, root, run] {
            context.action = [&context, root, run] { return run(context, *root); };
        });
    };
    add("status", "Show who does, and what is in the way", show);
    add("take", "guestd does, from the next boot on: in order, no more than the host can take",
        take);
    add("give", "libvirt does, from the next boot on: all at once", give);
}

}  // namespace guestd::ctl
