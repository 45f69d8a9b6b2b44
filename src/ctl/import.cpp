// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl import: what libvirt-guests was told, in guestd's words. Shows what it would write, and
/// where guestd means something else by it; --apply writes it. The guests that wait in
/// libvirt-guests' list are handed to guestd, which is asked for nothing else.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "config/config.hpp"
#include "config/sysconfig.hpp"
#include "ctl/context.hpp"
#include "ctl/files.hpp"
#include "ctl/import_notes.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDropIn = "/etc/guestd/guestd.toml.d/50-libvirt-guests.toml";
constexpr const char* kList = "/var/lib/libvirt/libvirt-guests";
constexpr const char* kTakenList = "/var/lib/libvirt/libvirt-guests.taken-by-guestd";

struct Import {
    std::string source;  ///< "" = there is none
    std::string target;
    std::string before;  ///< "" = there is no such file yet
    std::string after;   ///< "" = nothing to write
    Strings warnings;
    std::vector<ListedGuest> list;
};

std::string existing_source(const std::string& root) {
    for (const char* path : {"/etc/sysconfig/libvirt-guests", "/etc/default/libvirt-guests"})
        if (fs::exists(root + path))
            return root + path;
    return {};
}

/// The assignments as a drop-in, in the spelling of the key table.
std::string drop_in(const std::string& source, const config::Layer& layer) {
    if (layer.assignments.empty())
        return {};
    std::string text = "# Written by guestctl import from " + source + ".\n";
    for (const auto& assignment : layer.assignments)
        text += fmt::format("{} = {}\n", assignment.key->name,
                            assignment.key->format(assignment.value));
    return text;
}

Import look(const std::string& root) {
    Import import{.source = existing_source(root), .target = root + kDropIn};
    if (fs::exists(import.target))
        import.before = read_input(import.target);
    if (fs::exists(root + kList))
        import.list = parse_list(read_input(root + kList));
    if (import.source.empty())
        return import;
    config::Problems problems;
    const auto variables =
        config::parse_sysconfig(import.source, read_input(import.source), problems);
    const auto layer =
        config::compile_sysconfig(import.source, variables, UriPolicy{}.deadline, problems);
    import.after = drop_in(import.source, layer);
    for (const auto& problem : problems)
        import.warnings.push_back(config::render_problem(problem));
    std::ranges::move(differences(variables), std::back_inserter(import.warnings));
    return import;
}

Strings lines_of(const std::string& text) {
    Strings lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

/// What stays the same at both ends is left out: these files are short.
std::string difference(const Import& import) {
    auto before = lines_of(import.before);
    auto after = lines_of(import.after);
    const auto [a, b] = std::ranges::mismatch(before, after);
    before.erase(before.begin(), a);
    after.erase(after.begin(), b);
    while (!before.empty() && !after.empty() && before.back() == after.back()) {
        before.pop_back();
        after.pop_back();
    }
    std::string text = fmt::format(
        "--- {}\n+++ {}\n", import.before.empty() ? "/dev/null" : import.target, import.target);
    for (const auto& line : before)
        text += "-" + render::escape_terminal(line) + "\n";
    for (const auto& line : after)
        text += "+" + render::escape_terminal(line) + "\n";
    return text;
}

bool changes(const Import& import) {
    return !import.after.empty() && import.after != import.before;
}

std::string report(const Import& import) {
    constexpr std::string_view kWarning = "warning: ";
    const std::size_t width = terminal().width;
    std::string text;
    if (import.source.empty())
        text += "There is no configuration of libvirt-guests.\n";
    else if (import.after.empty())
        text += import.source + " sets nothing: guestd's defaults hold.\n";
    else
        text += changes(import) ? difference(import) : import.target + " says all of it already.\n";
    for (const auto& warning : import.warnings)
        text += render::hanging(kWarning, kWarning.size(), render::escape_terminal(warning), width);
    if (!import.list.empty())
        text += "These guests wait in libvirt-guests' list:\n";
    for (const auto& guest : import.list)
        text += "  " + render::escape_terminal(guest.uri + " " + guest.uuid) + "\n";
    return text;
}

Json json_of(const Import& import, bool written, bool taken) {
    Json list = Json::array();
    for (const auto& guest : import.list)
        list.push_back({{"uri", guest.uri}, {"uuid", guest.uuid}});
    return {{"source", import.source},     {"target", import.target},
            {"before", import.before},     {"after", import.after},
            {"changes", changes(import)},  {"written", written},
            {"warnings", import.warnings}, {"list", list},
            {"list_taken", taken}};
}

/// Hands the listed guests to guestd, and then puts the list aside: read a second time, months
/// later, it would bring up guests that were stopped on purpose. False: some were not taken.
bool hand_over(Context& context, Import& import) {
    bool all = true;
    for (const auto& guest : import.list) {
        try {
            context.client().command("Remember", {guest.uri, guest.uuid});
        } catch (const Stop& stop) {
            if (stop.status() != kExitFailure)
                throw;  // guestd is not there, or the caller may not: the same for all of them
            import.warnings.push_back(
                fmt::format("{} stays in {}: {}", guest.uuid, kList, stop.what()));
            all = false;
        }
    }
    if (all)
        fs::rename(kList, kTakenList);
    return all;
}

void write(const Import& import) {
    std::error_code error;
    fs::create_directories(fs::path{import.target}.parent_path(), error);
    replace_file(import.target, import.after);
}

int run_import(Context& context, const std::string& root, bool apply) {
    Import import = look(root);
    const bool written = apply && changes(import);
    if (written)
        write(import);
    // Below another root is another host's list: this host's guestd has nothing to do with it.
    const bool hands_over = apply && root.empty() && !import.list.empty();
    const bool taken = hands_over && hand_over(context, import);
    if (context.json) {
        print_json(json_of(import, written, taken));
    } else {
        std::string end;
        if (written)
            end += "Written. systemctl reload guestd takes it in.\n";
        if (taken)
            end += "The next boot run brings these guests back (guestctl resume-list).\n";
        if (apply && !root.empty() && !import.list.empty())
            end +=
                "The list stays where it is: take it over on the host itself, where guestd runs.\n";
        if (!apply && (changes(import) || !import.list.empty()))
            end = "Nothing was written; --apply does.\n";
        print(report(import) + end);
    }
    return hands_over && !taken ? kExitFailure : kExitOk;
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
    struct Given {
        std::string root;
        bool apply = false;
    };
    auto* verb =
        app.add_subcommand("import", "Take over what libvirt-guests was told; shows it first");
    auto given = std::make_shared<Given>();
    verb->add_flag("--apply", given->apply, "Write it");
    verb->add_option("--root", given->root, "Look and write below this folder: an image, say")
        ->option_text("FOLDER");
    verb->footer(
        "Examples:\n"
        "  guestctl import\n"
        "  guestctl import --apply && systemctl reload guestd");
    verb->callback([&context, given] {
        context.action = [&context, given] {
            return run_import(context, given->root, given->apply);
        };
    });
}

}  // namespace guestd::ctl
