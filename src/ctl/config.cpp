// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl config: is the configuration right, and what does it come to.
///
/// `check` reads files and never asks guestd. `show` tells what holds, so it asks guestd, which may
/// run on older files or, when those are broken, on the last good ones; with --files it tells what
/// would hold after a reload.

#include "config/config.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "config/user_sources.hpp"
#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/triggers.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using config::Config;
using config::Problem;
using render::Style;

/// As the system's file of that name is read: /etc/default/guestd is no TOML.
config::SourceKind kind_of(const std::filesystem::path& file) {
    const auto folder = std::filesystem::absolute(file).parent_path().filename();
    return folder == "default" || folder == "sysconfig" ? config::SourceKind::sysconfig
                                                        : config::SourceKind::toml;
}

/// These files, or those that guestd reads.
config::Sources sources_of(const Context& context, const Strings& files) {
    if (files.empty())
        return own_sources(context.user_bus);
    config::Sources sources;
    if (context.user_bus)
        sources = config::user_sources("");
    for (const auto& file : files)
        sources.list.push_back({kind_of(file), file, {}});
    return sources;
}

/// Names of the files, without the texts that are built in.
Strings files_of(const config::Sources& sources) {
    Strings files;
    for (const auto& source : sources.list)
        if (!source.text)
            files.push_back(source.name);
    return files;
}

Json finding_json(const char* weight, const Problem& problem) {
    return {{"weight", weight},
            {"file", problem.file},
            {"line", problem.line},
            {"column", problem.column},
            {"message", problem.message}};
}

std::string finding_text(const char* weight, const Problem& problem, Style style, bool colour) {
    return fmt::format("{} {}\n", render::paint(style, fmt::format("{}:", weight), colour),
                       config::render_problem(problem));
}

/// "2 files: 1 error, 3 warnings", "/etc/guestd/guestd.toml: nothing wrong"
std::string verdict(const Strings& files, std::size_t errors, std::size_t warnings) {
    if (files.empty() && errors == 0)
        return "There is no configuration file: the built-in defaults hold.\n";
    const std::string what = files.size() == 1 ? render::escape_terminal(files.front())
                                               : render::count(files.size(), "file");
    if (errors + warnings == 0)
        return what + ": nothing wrong\n";
    std::string text = what + ": ";
    if (errors > 0)
        text += render::count(errors, "error");
    if (warnings > 0)
        text += (errors > 0 ? ", " : "") + render::count(warnings, "warning");
    return text + "\n";
}

int check(Context& context, const Strings& given) {
    const auto sources = sources_of(context, given);
    const auto loaded = Config::load(sources);
    const auto errors = loaded ? config::Problems{} : loaded.error();
    const auto warnings = loaded ? (*loaded)->warnings() : config::Problems{};
    const Strings files = files_of(sources);
    if (context.json) {
        Json findings = Json::array();
        for (const auto& problem : errors)
            findings.push_back(finding_json("error", problem));
        for (const auto& problem : warnings)
            findings.push_back(finding_json("warning", problem));
        print_json({{"valid", loaded.has_value()}, {"files", files}, {"findings", findings}});
    } else {
        const bool colour = terminal().colour;
        std::string text;
        for (const auto& problem : errors)
            text += finding_text("error", problem, Style::bad, colour);
        for (const auto& problem : warnings)
            text += finding_text("warning", problem, Style::warn, colour);
        print(text + verdict(files, errors.size(), warnings.size()));
    }
    return loaded ? kExitOk : kExitFailure;
}

struct ShowOptions {
    std::string guest;
    std::string trigger;
    bool files = false;
};

Json settings_of_files(const Context& context, const std::string& trigger) {
    const auto loaded = Config::load(sources_of(context, {}));
    if (!loaded)
        throw Stop{kExitFailure, "the configuration is wrong; guestctl config check tells where"};
    const auto for_trigger = trigger.empty() ? std::nullopt : parse_trigger(trigger);
    Json settings = Json::array();
    for (const auto& each : (*loaded)->explain(nullptr, for_trigger))
        settings.push_back({{"key", each.key},
                            {"value", each.value},
                            {"origin", config::origin_text(each.origin)}});
    return settings;
}

Json settings_of_guestd(Context& context, const ShowOptions& given) {
    const std::string degraded = text_of(context.client().call("Status"), "degraded");
    if (!degraded.empty())
        std::fprintf(stderr, "guestctl: %s\n", render::escape_terminal(degraded).c_str());
    return context.client().call("Explain", {given.guest, given.trigger});
}

int show(Context& context, const ShowOptions& given) {
    const Json settings = given.files ? settings_of_files(context, given.trigger)
                                      : settings_of_guestd(context, given);
    if (context.json)
        print_json(settings);
    else
        print(settings_table(settings, terminal()));
    return kExitOk;
}

void add_check(CLI::App& verb, Context& context) {
    auto* check_verb = verb.add_subcommand("check", "Find every mistake; guestd is not asked");
    auto files = std::make_shared<Strings>();
    check_verb->add_option("FILE", *files,
                           "Check these, weakest first, instead of those that guestd reads");
    check_verb->footer(
        "Exit status: 0, guestd would take it (there may be warnings); 1, it would not.");
    check_verb->callback([&context, files] {
        context.action = [&context, files] { return check(context, *files); };
    });
}

void add_show_settings(CLI::App& verb, Context& context) {
    auto* show_verb =
        verb.add_subcommand("show", "Show what holds, and where each value comes from");
    auto given = std::make_shared<ShowOptions>();
    auto* guest = show_verb->add_option("GUEST", given->guest,
                                        "What holds for this guest (name or UUID), not in general");
    add_trigger(*show_verb, given->trigger, "Settings as in a drain for this reason");
    show_verb
        ->add_flag("--files", given->files,
                   "What the files say now, before guestd has read them; it is not asked")
        ->excludes(guest);
    show_verb->callback([&context, given] {
        context.action = [&context, given] { return show(context, *given); };
    });
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("config", "Check the configuration, or show what it comes to");
    verb->require_subcommand(1);
    add_check(*verb, context);
    add_show_settings(*verb, context);
}

}  // namespace guestd::ctl
