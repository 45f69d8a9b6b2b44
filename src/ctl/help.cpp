// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/help.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/text.hpp"
#include "ctl/terminal.hpp"
#include "render/text.hpp"

namespace guestd::ctl {
namespace {

/// Names take this much, two blanks before and after them included; what is longer has a line of
/// its own.
constexpr std::size_t kNames = 24;
/// Where the help goes into a file or a pager.
constexpr std::size_t kUsualWidth = 80;
/// Longer lines are hard to read, however wide the terminal.
constexpr std::size_t kWidest = 100;

std::size_t width_of_help() {
    const std::size_t width = terminal().width;
    return std::clamp(width == 0 ? kUsualWidth : width, kNames + 20, kWidest);
}

/// "  NAMES   description, which goes on below itself"
std::string entry(const std::string& names, const std::string& description) {
    const std::string blanks(kNames, ' ');
    std::string out = render::pad("  " + names, kNames);
    if (names.size() + 4 > kNames)
        out = "  " + names + (description.empty() ? "" : "\n" + blanks);
    return render::hanging(out, kNames, description, width_of_help());
}

class Formatter : public CLI::Formatter {
public:
    std::string make_option(const CLI::Option* option, bool positional) const override {
        const std::string names = make_option_name(option, positional);
        const std::string& value = option->get_option_text();
        return entry(positional || value.empty() ? names : names + " " + value,
                     option->get_description());
    }
    std::string make_subcommand(const CLI::App* verb) const override {
        return entry(verb->get_name(), verb->get_description());
    }
};

std::string without_dashes(const std::string& word) {
    return word.substr(std::min(word.find_first_not_of('-'), word.size()));
}

/// All words that may stand where the parser stopped: verbs, or options of the verb and of all.
std::vector<std::string> known_words(const CLI::App& verb, bool options) {
    std::vector<std::string> words;
    if (options)
        for (const auto* app = &verb; app != nullptr; app = app->get_parent())
            for (const auto* option : app->get_options())
                for (const auto& name : option->get_lnames())
                    words.push_back(name);
    else
        for (const auto* sub : verb.get_subcommands({}))
            words.push_back(sub->get_name());
    return words;
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
    return std::make_shared<Formatter>();
}

std::string usage_complaint(const CLI::App* app, const CLI::Error& error) {
    const CLI::App* verb = app;
    std::string path = app->get_name();
    while (!verb->get_subcommands().empty()) {
        verb = verb->get_subcommands().front();
        path += " " + verb->get_name();
    }
    const std::string way_out = "; see " + path + " --help\n";
    const auto extras = app->remaining(true);
    const bool verb_missing = !verb->get_subcommands({}).empty();
    const auto at = std::ranges::find_if(extras, [&](const std::string& extra) {
        return !verb_missing || extra.empty() || extra.front() != '-';
    });
    if (at == extras.end()) {
        const std::string what = verb_missing ? "a verb is missing" : error.what();
        return "guestctl: " + render::escape_terminal(what) + way_out;
    }
    const bool option = at->starts_with('-');
    const std::string slip = option ? without_dashes(*at) : *at;
    const auto words = known_words(*verb, option);
    const std::vector<std::string_view> known(words.begin(), words.end());
    const auto near = config::nearest(slip, known);
    std::string text = verb_missing ? "guestctl: there is no verb " : "guestctl: unexpected ";
    text += config::in_quotes(*at);
    if (!near.empty() && (option || verb_missing))
        return text + "; did you mean \"" + (option ? "--" : "") + std::string{near} + "\"?\n";
    return text + way_out;
}

}  // namespace guestd::ctl
