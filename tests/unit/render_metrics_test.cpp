// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include "render/metrics.hpp"

namespace guestd::render {
namespace {

TEST(Metrics, HaveAHeadAndAnEnd) {
    Metrics metrics;
    metrics.family("x_bytes", "Some bytes.");
    metrics.sample(5);
    metrics.sample({{"uri", "a"}, {"kind", "b"}}, 0.25);
    EXPECT_EQ(metrics.str(),
              "# TYPE x_bytes gauge\n# UNIT x_bytes bytes\n# HELP x_bytes Some bytes.\n"
              "x_bytes 5\nx_bytes{uri=\"a\",kind=\"b\"} 0.25\n# EOF\n");
}

TEST(Metrics, LeaveOutFamiliesWithoutSamples) {
    Metrics metrics;
    metrics.family("nothing", "Nothing.");
    metrics.family("one", "One.");
    metrics.sample(1);
    EXPECT_EQ(metrics.str(), "# TYPE one gauge\n# HELP one One.\none 1\n# EOF\n");
}

TEST(Metrics, EscapeLabels) {
    Metrics metrics;
    metrics.family("x", "X.");
    metrics.sample({{"a", "q\" b\\ n\n \xff \xc3\xa4"}}, 1);
    EXPECT_THAT(metrics.str(),
                testing::HasSubstr("x{a=\"q\\\" b\\\\ n\\n \\\\xff \xc3\xa4\"} 1\n"));
    Metrics hostile;
    hostile.family("x", "X.");
    hostile.sample({{"a", "\r\x1b[2J \xc2\x9b \u202e"}}, 1);
    EXPECT_THAT(hostile.str(), testing::HasSubstr(R"(x{a="\\x0d\\x1b[2J \\x9b \\u202e"} 1)"));
}

TEST(Metrics, KeepLargeNumbers) {
    Metrics metrics;
    metrics.family("x", "X.");
    metrics.sample(17179869184.0);
    metrics.sample({{"of", "time"}}, 1795000000.25);
    EXPECT_THAT(metrics.str(), testing::HasSubstr("x 17179869184\n"));
    EXPECT_THAT(metrics.str(), testing::HasSubstr("} 1795000000.25\n"));
}

}  // namespace
}  // namespace guestd::render
