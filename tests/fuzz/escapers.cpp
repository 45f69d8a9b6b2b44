// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes, as a guest's name or a text of libvirt's, on their way to a terminal, an XML or SVG
// file, a metric, a log line, the journal and the bus: nothing that the place forbids, bounded, and
// where the place has a way back, the same text again. The C library and pugixml are the judges.
#include <wchar.h>
#include <wctype.h>

#include <algorithm>
#include <clocale>
#include <cstring>
#include <pugixml.hpp>
#include <vector>

#include "fuzz.hpp"
#include "render/metrics.hpp"
#include "render/text.hpp"
#include "systemd/bus_message.hpp"
#include "systemd/escape.hpp"
#include "systemd/journal.hpp"

using namespace guestd;
using fuzz::require;

namespace {

/// What turns text around on a terminal, or is not seen (Unicode's Bidi_Control, and the BOM).
bool misleads(wchar_t c) {
    return c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

/// UTF-8, by the C library. `plain`: besides nothing that a terminal obeys.
bool is_text(std::string_view text, bool plain) {
    mbstate_t state{};
    while (!text.empty()) {
        wchar_t c = 0;
        const auto length = mbrtowc(&c, text.data(), text.size(), &state);
        // Also its two kinds of error; and NUL; and what glibc takes beyond Unicode.
        if (length > text.size() || length == 0 || c > 0x10FFFF)
            return false;
        if (plain && (iswcntrl(static_cast<wint_t>(c)) != 0 || misleads(c)))
            return false;
        text.remove_prefix(length);
    }
    return true;
}

void for_terminals(std::string_view text) {
    const auto shown = render::escape_terminal(text);
    require(is_text(shown, true), "nothing for a terminal to obey");
    require(shown.size() <= 4 * text.size(), "at most four bytes for one");
    require(!is_text(text, true) || shown == text, "what is harmless stays as it is");
}

void for_xml(std::string_view text) {
    const auto escaped = render::escape_xml(text);
    require(escaped.size() <= 6 * text.size(), "at most six bytes for one");
    const auto file = "<t a='" + escaped + "' b=\"" + escaped + "\">" + escaped + "</t>";
    require(is_text(file, true), "no control characters, which XML forbids");
    pugi::xml_document document;
    require(document.load_string(file.c_str(), pugi::parse_full | pugi::parse_ws_pcdata),
            "well formed");
    const auto element = document.child("t");
    const auto shown = render::escape_terminal(text);
    require(shown == element.text().get() && shown == element.attribute("a").value() &&
                shown == element.attribute("b").value() && !element.next_sibling(),
            "one element, and the same text in it");
}

/// The value of the only label, as an OpenMetrics parser takes it.
void for_metrics(std::string_view text) {
    render::Metrics metrics;
    metrics.family("guestd_one", "help");
    metrics.sample({{"name", std::string{text}}}, 1);
    const std::string all = metrics.str();
    require(all.size() <= 5 * text.size() + 100, "bounded");
    const std::string before =
        "# TYPE guestd_one gauge\n# HELP guestd_one help\nguestd_one{name=\"";
    const std::string behind = "\"} 1\n# EOF\n";
    require(all.starts_with(before) && all.ends_with(behind), "one sample");
    const auto value =
        std::string_view{all}.substr(before.size(), all.size() - before.size() - behind.size());
    require(is_text(value, true), "one line of text");
    for (std::size_t at = 0; at < value.size(); ++at) {
        require(value[at] != '"', "no quote ends it");
        if (value[at] == '\\')
            require(++at < value.size() && std::strchr("\\\"n", value[at]) != nullptr,
                    "only escapes that there are");
    }
}

void for_logs(std::string_view text, std::size_t limit) {
    const auto line = systemd::escaped(text, limit);
    require(is_text(line, true), "one line of text");
    require(line.size() <= limit + std::strlen("…"), "within its limit");
    require(text.size() > limit || !is_text(text, true) || text.find("\\x") != text.npos ||
                line == text,
            "what is harmless stays as it is");
}

/// Reads an entry as journald does.
std::vector<std::string> fields_of(std::string_view datagram) {
    std::vector<std::string> fields;
    while (!datagram.empty()) {
        const auto end = datagram.find('\n');
        require(end != datagram.npos, "each field ends");
        std::string field{datagram.substr(0, end)};
        datagram.remove_prefix(end + 1);
        if (field.find('=') == field.npos) {
            std::uint64_t size = 0;
            require(datagram.size() > sizeof size, "a length");
            for (unsigned byte = 0; byte < sizeof size; ++byte)
                size |= std::uint64_t{static_cast<unsigned char>(datagram[byte])} << (8 * byte);
            datagram.remove_prefix(sizeof size);
            require(size < datagram.size() && datagram[size] == '\n', "so many bytes");
            field.append("=").append(datagram.substr(0, size));
            datagram.remove_prefix(size + 1);
        }
        fields.push_back(std::move(field));
    }
    return fields;
}

void for_the_journal(const std::string& text) {
    const auto [first, second] = fuzz::halves(text, ';');
    const std::vector<std::string> fields{"MESSAGE=" + first, "GUEST_NAME=" + second, "PRIORITY=6"};
    require(fields_of(systemd::journal_datagram(fields)) == fields, "the fields that were sent");
}

void for_the_bus(std::string_view text) {
    const auto sent = bus::wire_text(text);
    require(is_text(sent, false), "UTF-8 without NUL");
    require(sent.size() <= 4 * text.size(), "at most four bytes for one");
    require(!is_text(text, false) || sent == text, "what the bus takes stays as it is");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool kLocale = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
    require(kLocale, "the C library knows UTF-8");
    const auto text = fuzz::text_of(data, size);
    for_terminals(text);
    for_xml(text);
    for_metrics(text);
    for_logs(text.substr(std::min<std::size_t>(size, 1)), size == 0 ? 0 : data[0]);
    for_the_journal(std::string{text});
    for_the_bus(text);
    return 0;
}
