// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <cmath>

#include "render/progress.hpp"
#include "render/text.hpp"

namespace guestd::render {
namespace {

TEST(Bar, FillsInEighths) {
    EXPECT_EQ(bar(0, 4), "░░░░");
    EXPECT_EQ(bar(0.5, 4), "██░░");
    EXPECT_EQ(bar(0.53125, 4), "██▏░");
    EXPECT_EQ(bar(1, 4), "████");
}

TEST(Bar, IsFullOnlyWhenDone) {
    EXPECT_EQ(bar(0.9999, 2), "█▉");
}

TEST(Bar, TakesAnyNumber) {
    EXPECT_EQ(bar(-3, 3), "░░░");
    EXPECT_EQ(bar(7, 3), "███");
    EXPECT_EQ(bar(std::nan(""), 3), "░░░");
    for (double share = 0; share <= 1; share += 0.01)
        EXPECT_EQ(display_width(bar(share, 10)), 10U);
}

TEST(Bar, HasAnAsciiForm) {
    EXPECT_EQ(bar(0.5, 6, false), "[##  ]");
    EXPECT_EQ(bar(0.99, 6, false), "[### ]");
}

/// What a terminal of any width shows after `output`: enough of one for the codes LiveBlock uses.
std::vector<std::string> screen_after(const std::string& output) {
    std::vector<std::string> rows{""};
    std::size_t at = 0;
    for (std::size_t i = 0; i < output.size(); ++i) {
        if (output[i] == '\n') {
            if (++at == rows.size())
                rows.emplace_back();
        } else if (output.compare(i, 2, "\x1b[") == 0) {
            const std::size_t end = output.find_first_of("AJK", i);
            const std::string number = output.substr(i + 2, end - i - 2);
            if (output[end] == 'A')
                at -= std::stoul(number);
            else if (output[end] == 'J')
                rows.resize(at + 1), rows[at].clear();
            i = end;
        } else if (output[i] == '\r') {
            continue;
        } else {
            // Lines are written whole, from their first column.
            const std::size_t end = output.find_first_of("\n\x1b", i);
            rows[at] = output.substr(i, end - i);
            i = end - 1;
        }
    }
    if (rows.back().empty())
        rows.pop_back();
    return rows;
}

TEST(LiveBlockOutput, RedrawsInPlaceAndScrollsAbove) {
    LiveBlock block;
    using Rows = std::vector<std::string>;
    std::string output = "prompt\n" + block.show({"one", "two", "three"});
    EXPECT_EQ(screen_after(output), (Rows{"prompt", "one", "two", "three"}));
    output += block.show({"uno"});
    EXPECT_EQ(screen_after(output), (Rows{"prompt", "uno"}));
    output += block.above("done");
    EXPECT_EQ(screen_after(output), (Rows{"prompt", "done", "uno"}));
    output += block.show({"a", "b"});
    EXPECT_EQ(screen_after(output), (Rows{"prompt", "done", "a", "b"}));
    output += block.clear();
    EXPECT_EQ(screen_after(output), (Rows{"prompt", "done"}));
}

}  // namespace
}  // namespace guestd::render
