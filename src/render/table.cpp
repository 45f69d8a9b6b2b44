// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/table.hpp"

#include <algorithm>
#include <cassert>

#include "render/text.hpp"

namespace guestd::render {
namespace {

constexpr std::size_t kGap = 2;

std::size_t total_of(const std::vector<std::size_t>& widths) {
    std::size_t total = 0;
    for (const std::size_t width : widths)
        total += width == 0 ? 0 : width + kGap;
    return total == 0 ? 0 : total - kGap;
}

/// Takes one column off the widest that may still shrink; false when none may.
bool shrink_one(const std::vector<Column>& columns, std::vector<std::size_t>& widths) {
    std::size_t best = columns.size();
    for (std::size_t at = 0; at < columns.size(); ++at) {
        const bool may = columns[at].shrink != 0 && widths[at] > columns[at].shrink;
        if (may && (best == columns.size() || widths[at] > widths[best]))
            best = at;
    }
    if (best == columns.size())
        return false;
    --widths[best];
    return true;
}

/// How narrow the columns that are left can get.
std::size_t least_total(const std::vector<Column>& columns, std::vector<std::size_t> widths) {
    for (std::size_t at = 0; at < columns.size(); ++at)
        if (columns[at].shrink != 0)
            widths[at] = std::min(widths[at], columns[at].shrink);
    return total_of(widths);
}

bool drop_one(const std::vector<Column>& columns, std::vector<std::size_t>& widths) {
    std::size_t best = columns.size();
    for (std::size_t at = 0; at < columns.size(); ++at) {
        const bool may = columns[at].drop != 0 && widths[at] != 0;
        if (may && (best == columns.size() || columns[at].drop > columns[best].drop))
            best = at;
    }
    if (best == columns.size())
        return false;
    widths[best] = 0;
    return true;
}

}  // namespace

void Table::add(std::vector<Cell> row) {
    assert(row.size() == columns_.size());
    for (auto& cell : row)
        cell.text = escape_terminal(cell.text);
    rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::fit(std::size_t width) const {
    std::vector<std::size_t> widths;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
        std::size_t widest = 0;
        for (const auto& row : rows_)
            widest = std::max(widest, display_width(row[at].text));
        // A column without any content is noise.
        widths.push_back(widest == 0 ? 0 : std::max(widest, display_width(columns_[at].title)));
    }
    if (width == 0)
        return widths;
    while (least_total(columns_, widths) > width && drop_one(columns_, widths)) {
    }
    while (total_of(widths) > width && shrink_one(columns_, widths)) {
    }
    return widths;
}

std::string Table::str(const Layout& layout) const {
    const std::vector<std::size_t> widths = fit(layout.width);
    std::string out;
    const auto line = [&](const auto& text_of, const auto& style_of) {
        std::string blanks;
        for (std::size_t at = 0; at < columns_.size(); ++at) {
            if (widths[at] == 0)
                continue;
            const std::string text = ellipsize(text_of(at), widths[at]);
            const std::string fill(widths[at] - display_width(text), ' ');
            out += blanks + (columns_[at].right ? fill : "");
            out += paint(style_of(at), text, layout.colour);
            blanks = (columns_[at].right ? "" : fill) + std::string(kGap, ' ');
        }
        out.erase(out.find_last_not_of(' ') + 1);
        out += '\n';
    };
    if (layout.header)
        line([&](std::size_t at) { return columns_[at].title; },
             [](std::size_t) { return Style::bold; });
    for (const auto& row : rows_)
        line([&](std::size_t at) { return row[at].text; },
             [&](std::size_t at) { return row[at].style; });
    return out;
}

}  // namespace guestd::render
