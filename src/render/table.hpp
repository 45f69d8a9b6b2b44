// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A table that fits: columns as wide as their widest cell; when that is wider than the terminal,
/// first the columns that can be missed go, then the ones that may shrink are ellipsized.

#include <string>
#include <vector>

#include "render/style.hpp"

namespace guestd::render {

struct Column {
    std::string title;
    bool right = false;      ///< aligned to the right: numbers
    std::size_t shrink = 0;  ///< may be cut down to this width; 0 = never
    unsigned drop = 0;       ///< may be left out, the highest first; 0 = never
};

struct Cell {
    std::string text;  ///< raw: the table escapes it
    Style style = Style::plain;
};

struct Layout {
    std::size_t width = 0;  ///< columns of the terminal; 0 = as wide as it gets
    bool colour = false;
    bool header = true;
};

class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// As many cells as there are columns.
    void add(std::vector<Cell> row);
    bool empty() const { return rows_.empty(); }
    /// One line per row, each ended, none with blanks at its end.
    std::string str(const Layout& layout) const;

private:
    /// Width of each column; a column that is left out has 0.
    std::vector<std::size_t> fit(std::size_t width) const;
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace guestd::render
