// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "render/units.hpp"

namespace guestd::render {
namespace {

using namespace std::chrono_literals;

TEST(DurationText, ShowsTheTwoLargestUnits) {
    const std::pair<Duration, const char*> cases[] = {
        {0s, "0s"},         {1us, "1us"},           {499us, "499us"}, {350ms, "350ms"},
        {1s, "1s"},         {3200ms, "3.2s"},       {42s, "42s"},     {63s, "1min 3s"},
        {5min, "5min"},     {2h + 5min, "2h 5min"}, {76h, "3d 4h"},   {24h, "1d"},
        {-3200ms, "-3.2s"},
    };
    for (const auto& [span, text] : cases)
        EXPECT_EQ(duration(span), text);
}

TEST(DurationText, NeverShowsAFullSmallerUnit) {
    const std::pair<Duration, const char*> cases[] = {
        {999700us, "1s"}, {9960ms, "10s"},   {59970ms, "1min"}, {3599600ms, "1h"},
        {2h - 10s, "2h"}, {24h - 10s, "1d"}, {72h - 10s, "3d"}, {119600ms, "2min"},
    };
    for (const auto& [span, text] : cases)
        EXPECT_EQ(duration(span), text);
}

TEST(BytesText, UsesBinaryUnits) {
    const std::pair<std::uint64_t, const char*> cases[] = {
        {0, "0 B"},
        {17, "17 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1610612736, "1.5 GiB"},
        {512ULL << 20, "512 MiB"},
        {(1ULL << 20) - 1, "1 MiB"},
        {(1ULL << 30) - 1, "1 GiB"},
        {1ULL << 40, "1 TiB"},
        {~0ULL, "16 EiB"},
    };
    for (const auto& [count, text] : cases)
        EXPECT_EQ(bytes(Bytes{count}), text);
}

TEST(RateText, DividesByTime) {
    EXPECT_EQ(rate(Bytes{20ULL << 20}, 10s), "2 MiB/s");
    EXPECT_EQ(rate(Bytes{20ULL << 20}, 0s), "");
}

TEST(CountText, KnowsThePlural) {
    EXPECT_EQ(count(0, "guest"), "0 guests");
    EXPECT_EQ(count(1, "guest"), "1 guest");
    EXPECT_EQ(count(2, "guest"), "2 guests");
}

}  // namespace
}  // namespace guestd::render
