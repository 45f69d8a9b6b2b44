// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/metrics.hpp"

#include <fmt/format.h>

#include <array>

#include "guestd/utf8.hpp"

namespace guestd::render {
namespace {

constexpr std::array<std::string_view, 3> kUnits = {"seconds", "bytes", "ratio"};

/// As both formats have it: backslash, quote and line end. Bytes that are not UTF-8 would make the
/// whole text unreadable, and a terminal obeys control characters: both are told by their number.
std::string escape_label(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const Utf8Char next = decode_utf8(text);
        if (next.code == '\n')
            out += "\\n";
        else if (!next.valid || is_control(next.code))
            out += next.code < 0x100 ? fmt::format("\\\\x{:02x}", static_cast<unsigned>(next.code))
                                     : fmt::format("\\\\u{:04x}", static_cast<unsigned>(next.code));
        else if (next.code == '\\' || next.code == '"')
            out += std::string{"\\"} + static_cast<char>(next.code);
        else
            out += text.substr(0, next.length);
        text.remove_prefix(next.length);
    }
    return out;
}

}  // namespace

void Metrics::family(std::string name, std::string_view help) {
    name_ = std::move(name);
    head_ = fmt::format("# TYPE {} gauge\n", name_);
    for (const auto unit : kUnits)
        if (name_.ends_with(fmt::format("_{}", unit)))
            head_ += fmt::format("# UNIT {} {}\n", name_, unit);
    head_ += fmt::format("# HELP {} {}\n", name_, help);
}

void Metrics::sample(const Labels& labels, double value) {
    out_ += std::exchange(head_, {}) + name_;
    const char* before = "{";
    for (const auto& [name, text] : labels) {
        out_ += fmt::format("{}{}=\"{}\"", before, name, escape_label(text));
        before = ",";
    }
    out_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", value);
}

}  // namespace guestd::render
