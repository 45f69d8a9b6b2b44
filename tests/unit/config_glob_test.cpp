// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fnmatch.h>
#include <gtest/gtest.h>

#include "config/glob.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

TEST(Glob, MatchesAsTheCoreDoes) {
    struct Case {
        const char* pattern;
        const char* name;
        bool matches;
    };
    for (const auto& [pattern, name, matches] : std::initializer_list<Case>{
             {"db-1", "db-1", true},   {"db-1", "db-11", false}, {"db-*", "db-", true},
             {"db-*", "db-12", true},  {"db-*", "xdb-1", false}, {"*", "", true},
             {"*", "anything", true},  {"a*b*c", "aXbYc", true}, {"a*b*c", "aXbY", false},
             {"*aab", "aaaab", true},  {"d?", "db", true},       {"d?", "d", false},
             {"[a-c]1", "b1", true},   {"[a-c]1", "d1", false},  {"[!a-c]1", "d1", true},
             {"[!a-c]1", "a1", false}, {"[]x]", "]", true},      {"[x-]", "-", true},
             {"\\*", "*", true},       {"\\*", "a", false},      {"", "", true},
             {"", "a", false},         {"a[b]*", "ab", true},    {"\xc3\xa4*", "\xc3\xa4x", true},
         }) {
        SCOPED_TRACE(std::string{pattern} + " on " + name);
        EXPECT_EQ(glob_matches(pattern, name), matches);
        EXPECT_EQ(::fnmatch(pattern, name, 0) == 0, matches) << "the core's matcher disagrees";
    }
}

TEST(Glob, LooksAtHostilePatternsInBoundedTime) {
    const std::string name(2000, 'a');
    std::string pattern;
    for (int i = 0; i < 1000; ++i)
        pattern += "*a";
    EXPECT_FALSE(glob_matches(pattern + "*b", name));
}

TEST(Glob, SaysWhatIsWrong) {
    EXPECT_EQ(glob_error("db-[a-z]*?\\["), "");
    EXPECT_EQ(glob_error(""), "it is empty");
    EXPECT_EQ(glob_error("a["), "']' is missing");
    EXPECT_EQ(glob_error("a[]"), "']' is missing");
    EXPECT_EQ(glob_error("\\\\["), "']' is missing");
    EXPECT_EQ(glob_error("a\\"), "nothing follows the backslash");
    EXPECT_FALSE(glob_matches("a[", "a["));
}

TEST(Glob, SampleIsMatchedOnlyByPatternsAsWide) {
    for (const std::string_view pattern : {"db-*", "*", "a?c", "[a-c]x", "[!a]", "\\*x", "plain"})
        EXPECT_TRUE(glob_matches(pattern, glob_sample(pattern))) << pattern;
    EXPECT_FALSE(glob_matches("db-1*", glob_sample("db-*")));
    EXPECT_FALSE(glob_matches("db-?", glob_sample("db-*")));
    EXPECT_TRUE(glob_matches("d*", glob_sample("db-*")));
}

TEST(Nearest, FindsSlipsAndNothingElse) {
    const std::string_view known[] = {"max_parallel", "resume", "ready", "ready_timeout"};
    EXPECT_EQ(nearest("max_paralel", known), "max_parallel");
    EXPECT_EQ(nearest("raedy", known), "ready");
    EXPECT_EQ(nearest("resmue", known), "resume");
    EXPECT_EQ(nearest("colour", known), "");
    EXPECT_EQ(nearest("", known), "");
    EXPECT_EQ(nearest(std::string(10000, 'r'), known), "");
    EXPECT_EQ(suggestion("x", known), "; known here: max_parallel, resume, ready, ready_timeout");
}

TEST(Quoted, IsHarmlessAndBounded) {
    EXPECT_EQ(in_quotes("a\"b\\"), R"("a\"b\\")");
    EXPECT_EQ(in_quotes("\x1b[31m\n"), R"("\u001b[31m\u000a")");
    EXPECT_EQ(in_quotes("\xff"), R"("\xff")");
    EXPECT_EQ(in_quotes("\xe2\x80\xae"), R"("\u202e")");
    EXPECT_EQ(in_quotes(std::string(1000, 'x')), '"' + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace guestd::config
