// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "guestd/utf8.hpp"
#include "render/text.hpp"

namespace guestd::render {
namespace {

struct EscapeCase {
    std::string_view raw;
    std::string_view terminal;
    std::string_view xml;
};

class Escape : public testing::TestWithParam<EscapeCase> {};

TEST_P(Escape, MakesHostileTextHarmless) {
    EXPECT_EQ(escape_terminal(GetParam().raw), GetParam().terminal);
    EXPECT_EQ(escape_xml(GetParam().raw), GetParam().xml);
}

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(
    Names, Escape,
    testing::Values(EscapeCase{"web-1", "web-1", "web-1"},
                    EscapeCase{"日本語 ü", "日本語 ü", "日本語 ü"},
                    EscapeCase{"\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"},
                    EscapeCase{"a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd", "a\\x0ab\\x09c\\x0dd"},
                    EscapeCase{"a\0b"sv, "a\\x00b", "a\\x00b"},
                    EscapeCase{"del\x7f", "del\\x7f", "del\\x7f"},
                    // The 8-bit control sequence introducer, well encoded: terminals obey it too.
                    EscapeCase{"\xc2\x9b"
                               "31m",
                               "\\x9b31m", "\\x9b31m"},
                    EscapeCase{"\xff\xfe", "\\xff\\xfe", "\\xff\\xfe"},
                    EscapeCase{"cut \xe6\x97", "cut \\xe6\\x97", "cut \\xe6\\x97"},
                    EscapeCase{"over\xc0\xaflong", "over\\xc0\\xaflong", "over\\xc0\\xaflong"},
                    EscapeCase{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
                    EscapeCase{"a\u202egnp.b", "a\\u202egnp.b", "a\\u202egnp.b"},
                    EscapeCase{"<b>&\"'", "<b>&\"'", "&lt;b&gt;&amp;&quot;&apos;"}));

TEST(DecodeUtf8, TakesOneByteOfWhatIsNoCharacter) {
    for (const auto* text : {"\x80", "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xc1\xbf",
                             "\xe0\x80"
                             "\x80"})
        EXPECT_FALSE(decode_utf8(text).valid) << escape_terminal(text);
    EXPECT_EQ(decode_utf8("\xf4\x90\x80\x80").length, 1U);
    EXPECT_EQ(decode_utf8("\U0001F600x").code, U'\U0001F600');
    EXPECT_EQ(decode_utf8("\U0001F600x").length, 4U);
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
    EXPECT_EQ(display_width("web-1"), 5U);
    EXPECT_EQ(display_width("日本"), 4U);
    EXPECT_EQ(display_width("e\u0301"), 1U);
    EXPECT_EQ(display_width("ü"), 1U);
}

TEST(Ellipsize, KeepsWhatFitsAndMarksWhatDoesNot) {
    EXPECT_EQ(ellipsize("web-1", 5), "web-1");
    EXPECT_EQ(ellipsize("web-10", 5), "web-…");
    EXPECT_EQ(ellipsize("web", 0), "");
    EXPECT_EQ(ellipsize("web", 1), "…");
    // A wide character is never cut in half: one column stays free.
    EXPECT_EQ(ellipsize("日本語", 4), "日…");
    EXPECT_LE(display_width(ellipsize("日本語", 4)), 4U);
}

TEST(Wrap, BreaksAtBlanksElseAfterSlashesElseAnywhere) {
    using Lines = std::vector<std::string>;
    EXPECT_EQ(wrap("", 5), (Lines{""}));
    EXPECT_EQ(wrap("one two", 7), (Lines{"one two"}));
    EXPECT_EQ(wrap("one two", 6), (Lines{"one", "two"}));
    EXPECT_EQ(wrap("one two", 3), (Lines{"one", "two"}));
    EXPECT_EQ(wrap("/etc/guestd/x.toml", 13), (Lines{"/etc/guestd/", "x.toml"}));
    EXPECT_EQ(wrap("abcdef", 4), (Lines{"abcd", "ef"}));
    EXPECT_EQ(wrap("日本語", 4), (Lines{"日本", "語"}));
    EXPECT_EQ(wrap("日本", 1), (Lines{"日", "本"}));  // too narrow: whole characters all the same
    EXPECT_EQ(wrap("one two", 0), (Lines{"one two"}));
    EXPECT_EQ(wrap("one two three", 5, 2), (Lines{"one", "two …"}));
    EXPECT_EQ(wrap("one two", 5, 2), (Lines{"one", "two"}));
}

TEST(Pad, FillsToColumns) {
    EXPECT_EQ(pad("日", 4), "日  ");
    EXPECT_EQ(pad("7", 3, true), "  7");
    EXPECT_EQ(pad("long", 2), "long");
}

}  // namespace
}  // namespace guestd::render
