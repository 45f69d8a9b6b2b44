// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <sstream>

#include "render/table.hpp"
#include "render/text.hpp"

namespace guestd::render {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

Table guests() {
    Table table{{{.title = "GUEST", .shrink = 6},
                 {.title = "FOR", .right = true},
                 {.title = "EMPTY"},
                 {.title = "URI", .drop = 1}}};
    table.add({{"web-1"}, {"3s"}, {""}, {"qemu:///system"}});
    table.add({{"a-rather-long-name"}, {"1min 3s"}, {""}, {"lxc:///system"}});
    return table;
}

TEST(TableText, AlignsColumnsAndLeavesOutEmptyOnes) {
    EXPECT_EQ(guests().str({}),
              "GUEST                   FOR  URI\n"
              "web-1                    3s  qemu:///system\n"
              "a-rather-long-name  1min 3s  lxc:///system\n");
}

TEST(TableText, ShrinksBeforeItDropsAndNeverExceedsTheWidth) {
    const auto shrunk = lines_of(guests().str({.width = 40}));
    EXPECT_EQ(shrunk[2], "a-rather-long-n  1min 3s  lxc:///system");
    EXPECT_EQ(shrunk[3], "ame");
    const auto dropped = lines_of(guests().str({.width = 26}));
    EXPECT_EQ(dropped[0], "GUEST                  FOR");
    EXPECT_EQ(dropped[2], "a-rather-long-nam  1min 3s");
    EXPECT_EQ(dropped[3], "e");
    for (std::size_t width = 15; width < 60; ++width)
        for (const auto& line : lines_of(guests().str({.width = width})))
            EXPECT_LE(display_width(line), width) << line;
}

TEST(TableText, GoesOnBelowBetweenWordsAndCutsNothing) {
    Table table{{{.title = "KEY"}, {.title = "VALUE", .shrink = 8}, {.title = "N", .right = true}}};
    table.add({{"stop"}, {"shutdown 5min, save 5min, destroy", Style::dim}, {"7"}});
    table.add({{"x"}, {"y"}, {"12"}});
    EXPECT_EQ(table.str({.width = 26}),
              "KEY   VALUE              N\n"
              "stop  shutdown 5min,     7\n"
              "      save 5min,\n"
              "      destroy\n"
              "x     y                 12\n");
    EXPECT_EQ(lines_of(table.str({.width = 26, .colour = true}))[2],
              "      \x1b[2msave 5min,\x1b[0m");
}

TEST(TableText, IsNothingWithoutRows) {
    EXPECT_EQ(Table({{.title = "GUEST"}}).str({}), "");
}

TEST(TableText, EscapesItsCells) {
    Table table{{{.title = "GUEST"}, {.title = "STATE"}}};
    table.add({{"evil\n\x1b[2J"}, {"running"}});
    EXPECT_EQ(table.str({.header = false}), "evil\\x0a\\x1b[2J  running\n");
}

TEST(TableText, ColoursTheTextAndNotTheGap) {
    Table table{{{.title = "A"}, {.title = "B"}}};
    table.add({{"x", Style::good}, {"y"}});
    EXPECT_EQ(table.str({.colour = true, .header = false}), "\x1b[32mx\x1b[0m  y\n");
    EXPECT_EQ(table.str({.colour = false, .header = false}), "x  y\n");
}

TEST(OutcomeStyle, TellsBadFromGood) {
    EXPECT_EQ(style_of_outcome("failed"), Style::bad);
    EXPECT_EQ(style_of_outcome("left-running"), Style::bad);
    EXPECT_EQ(style_of_outcome("destroyed"), Style::warn);
    EXPECT_EQ(style_of_outcome("saved"), Style::good);
    EXPECT_EQ(style_of_outcome("pending"), Style::plain);
}

}  // namespace
}  // namespace guestd::render
