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
    // What is wider than all of the line ends narrower than it in any case, and need not get there
    // column by column: a name can have a million.
    for (std::size_t at = 0; at < columns_.size(); ++at)
        if (columns_[at].shrink != 0)
            widths[at] = std::min(widths[at], std::max(width, columns_[at].shrink));
    while (least_total(columns_, widths) > width && drop_one(columns_, widths)) {
    }
    while (total_of(widths) > width && shrink_one(columns_, widths)) {
    }
    return widths;
}

std::string Table::line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                        bool colour) const {
    std::string out;
    std::string blanks;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
        if (widths[at] == 0)
            continue;
        const auto& [text, style] = cells[at];
        const std::string fill(widths[at] - display_width(text), ' ');
        out += blanks + (columns_[at].right ? fill : "");
        out += text.empty() ? "" : paint(style, text, colour);
        blanks = (columns_[at].right ? "" : fill) + std::string(kGap, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + '\n';
}

std::string Table::str(const Layout& layout) const {
    if (rows_.empty())
        return {};
    const std::vector<std::size_t> widths = fit(layout.width);
    std::string out;
    if (layout.header) {
        std::vector<Cell> titles;
        for (std::size_t at = 0; at < columns_.size(); ++at)
            titles.push_back({ellipsize(columns_[at].title, widths[at]), Style::bold});
        out += line(titles, widths, layout.colour);
    }
    for (const auto& row : rows_) {
        std::vector<std::vector<std::string>> parts;
        std::size_t lines = 1;
        for (std::size_t at = 0; at < columns_.size(); ++at) {
            parts.push_back(wrap(row[at].text, widths[at]));
            lines = std::max(lines, parts.back().size());
        }
        for (std::size_t number = 0; number < lines; ++number) {
            std::vector<Cell> cells;
            for (std::size_t at = 0; at < columns_.size(); ++at)
                cells.push_back(
                    {number < parts[at].size() ? parts[at][number] : "", row[at].style});
            out += line(cells, widths, layout.colour);
        }
    }
    return out;
}

}  // namespace guestd::render
