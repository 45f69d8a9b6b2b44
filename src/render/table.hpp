// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A table that fits: columns as wide as their widest cell; when that is wider than the terminal,
/// first the columns that can be missed go, then those that may shrink do, and what is in them goes
/// on below, in lines of its own: nothing that is shown is cut.

#include <string>
#include <vector>

#include "render/style.hpp"

namespace guestd::render {

struct Column {
    std::string title;
    bool right = false;      ///< aligned to the right: numbers
    std::size_t shrink = 0;  ///< may get as narrow as this; 0 = never
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
    /// One line per row, or more where a cell does not fit; each ended, none with blanks at its
    /// end.
    /// "" without any row.
    std::string str(const Layout& layout) const;

private:
    /// Width of each column; a column that is left out has 0.
    std::vector<std::size_t> fit(std::size_t width) const;
    /// Of texts that fit.
    std::string line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                     bool colour) const;
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace guestd::render
