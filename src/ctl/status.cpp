// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl status: is guestd well, does it reach its hypervisors, what does it do now.

#include <fmt/format.h>

#include <map>

#include "ctl/context.hpp"
#include "ctl/show_parts.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using render::Style;

/// Labels are set to the right, as systemctl does.
constexpr std::size_t kLabelWidth = 12;
/// Guests named for each reason to wait; "guestctl list" names all.
constexpr std::size_t kNamesHeld = 6;

class Sheet {
public:
    explicit Sheet(const Terminal& terminal) : terminal_(terminal) {}

    /// `text` is raw. A label that is empty continues the one above.
    void line(std::string_view label, const std::string& text, Style style = Style::plain) {
        const std::size_t room =
            terminal_.width > kLabelWidth + 2 ? terminal_.width - kLabelWidth - 2 : 0;
        for (const auto& part : render::wrap(render::escape_terminal(text), room)) {
            out_ += render::pad(label, kLabelWidth, true) + (label.empty() ? "  " : ": ");
            out_ += render::paint(style, part, terminal_.colour) + "\n";
            label = "";
        }
    }
    void raw(const std::string& text) { out_ += text; }
    const std::string& str() const { return out_; }

private:
    Terminal terminal_;
    std::string out_;
};

void headline(Sheet& sheet, const Json& status, const Terminal& terminal) {
    const std::string degraded = text_of(status, "degraded");
    const char* const dot = terminal.unicode ? "●" : "*";
    sheet.raw(fmt::format(
        "{} guestd {} - {}\n",
        render::paint(degraded.empty() ? Style::good : Style::bad, dot, terminal.colour),
        render::escape_terminal(text_of(status, "version")),
        degraded.empty() ? "running" : render::paint(Style::bad, "degraded", terminal.colour)));
    if (!degraded.empty())
        sheet.line("Degraded", degraded, Style::bad);
}

void uris(Sheet& sheet, const Json& list) {
    const char* label = "Hypervisors";
    for (const auto& uri : list) {
        const bool connected = flag_of(uri, "connected");
        const std::string since = elapsed_since(time_of(uri, "since_usec"));
        std::string text = text_of(uri, "uri");
        if (connected)
            text += fmt::format(", {} of {} running{}{}", number_of(uri, "running"),
                                render::count(number_of(uri, "guests"), "guest"),
                                since.empty() ? "" : ", connected for ", since);
        else
            text += fmt::format(", not connected{}{}: {}", since.empty() ? "" : " for ", since,
                                text_of(uri, "reason"));
        if (const auto attempts = number_of(uri, "attempts"); !connected && attempts > 1)
            text += " (" + render::count(attempts, "attempt") + ")";
        sheet.line(label, text, connected ? Style::plain : Style::bad);
        label = "";
    }
}

void runs(Sheet& sheet, const Json& status) {
    if (status.contains("active_run")) {
        const Json& run = status["active_run"];
        std::string text = run_title(run) + ", " + run_counts(run);
        if (const auto deadline = time_of(run, "deadline_usec"))
            text += ", " + render::duration(*deadline - now()) + " left";
        sheet.line("Active run", text, Style::busy);
    }
    if (status.contains("last_run")) {
        const Json& run = status["last_run"];
        const auto [result, style] = run_result(run);
        std::string text = run_title(run) + ", " + result;
        if (const auto guests = number_of(run, "guests"); guests > 0)
            text += ", " + render::count(guests, "guest");
        if (const std::string took = run_duration(run); !took.empty())
            text += " in " + took;
        if (const std::string date = wall_clock(number_of(run, "started_wall_usec")); !date.empty())
            text += ", " + date;
        sheet.line("Last run", text, style == Style::bad ? style : Style::plain);
    }
}

/// Guests that the boot run has not begun with, by what they wait for.
void held(Sheet& sheet, const Json& guests) {
    std::map<std::string, Strings> waiting;
    for (const auto& guest : guests)
        if (text_of(guest, "phase") == "waiting" && text_of(guest, "outcome") == "pending")
            waiting[text_of(guest, "held_for")].push_back(text_of(guest, "name"));
    const char* label = "Held";
    for (const auto& [reason, names] : waiting) {
        std::string text = render::count(names.size(), "guest") + " for " +
                           (reason.empty() ? "its turn" : reason) + ": ";
        for (std::size_t i = 0; i < names.size() && i < kNamesHeld; ++i)
            text += (i == 0 ? "" : ", ") + names[i];
        if (names.size() > kNamesHeld)
            text += fmt::format(" and {} more", names.size() - kNamesHeld);
        sheet.line(label, text, Style::warn);
        label = "";
    }
}

void lists(Sheet& sheet, const Json& status) {
    if (const auto entries = number_of(status, "resume_entries"); entries > 0)
        sheet.line("To resume",
                   render::count(entries, "guest") + " (guestctl resume-list shows them)");
    const char* label = "Config";
    for (const auto& file : status.value("config_files", Json::array())) {
        sheet.line(label, file.is_string() ? file.get<std::string>() : "");
        label = "";
    }
    label = "Warning";
    for (const auto& warning : status.value("warnings", Json::array()))
        sheet.line(label, warning.is_string() ? warning.get<std::string>() : "", Style::warn);
}

int show_status(Context& context) {
    const Json status = context.client().call("Status");
    const Json list = context.client().call("ListUris");
    if (context.json) {
        Json all = status;
        all["uris"] = list;
        print_json(all);
        return kExitOk;
    }
    const Terminal out = terminal();
    Sheet sheet{out};
    headline(sheet, status, out);
    uris(sheet, list);
    runs(sheet, status);
    if (text_of(status.value("active_run", Json::object()), "kind") == "boot")
        held(sheet, context.client().call("ListGuests", {Strings{}}));
    lists(sheet, status);
    const Json active = status.value("progress", Json::object()).value("active", Json::array());
    if (!active.empty())
        sheet.raw("\n" + guest_table(active, out));
    print(sheet.str());
    return kExitOk;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("status", "Show how guestd is and what it does");
    verb->callback([&context] { context.action = [&context] { return show_status(context); }; });
}

}  // namespace guestd::ctl
