// SPDX-License-Identifier: LGPL-2.1-or-later
// The small value parsers: spans, sizes, ladder steps, probes, gates. One line per behaviour.
#include <gtest/gtest.h>

#include "config/ladder.hpp"
#include "config/probe.hpp"
#include "config/size.hpp"
#include "config/span.hpp"

namespace guestd::config {
namespace {

using namespace std::chrono_literals;

/// `written` is what the parser's reverse gives; "" = the text is refused, with `error` in it.
struct Case {
    std::string_view text;
    std::string_view written;
    std::string_view error;
};

template <class Parse, class Format>
void check(std::initializer_list<Case> cases, Parse parse, Format format) {
    for (const auto& c : cases) {
        SCOPED_TRACE(c.text);
        const auto value = parse(c.text);
        ASSERT_EQ(value.has_value(), !c.written.empty())
            << (value ? format(*value) : value.error());
        if (value) {
            EXPECT_EQ(format(*value), c.written);
            EXPECT_TRUE(parse(format(*value)) == value) << "does not read its own writing";
        } else {
            EXPECT_NE(value.error().find(c.error), std::string::npos) << value.error();
        }
    }
}

TEST(Span, ReadsWhatSystemdWrites) {
    check({{"90s", "1min 30s", ""},
           {"5min", "5min", ""},
           {"1h 30min", "1h 30min", ""},
           {"1h30min", "1h 30min", ""},
           {"500ms", "500ms", ""},
           {"2us", "2us", ""},
           {"90", "1min 30s", ""},
           {" 7 s ", "7s", ""},
           {"5 minutes 1 second", "5min 1s", ""},
           {"1.5s", "1s 500ms", ""},
           {".5s", "500ms", ""},
           {"1w", "7d", ""},
           {"0", "0s", ""},
           {"31d", "31d", ""}},
          parse_span, format_span);
}

TEST(Span, RefusesTheRest) {
    check({{"", "", "empty"},
           {"-1s", "", "negative"},
           {"min", "", "a number is missing"},
           {"5mni", "", "unknown unit \"mni\", did you mean 'min'?"},
           {"5 parsecs", "", "unknown unit \"parsecs\""},
           {"5 30s", "", "a unit is missing"},
           {"1.s", "", "a digit is missing"},
           {"32d", "", "too long"},
           {"30d 2d", "", "too long"},
           {"99999999999999999999s", "", "too long"},
           {"9999999999999999999w", "", "too long"},
           {"1e3s", "", "unknown unit"},
           {"5s;", "", "unknown unit"}},
          parse_span, format_span);
}

TEST(Size, ReadsBinaryAndDecimalUnits) {
    check({{"512MiB", "512MiB", ""},
           {"1GiB", "1GiB", ""},
           {"1536MiB", "1536MiB", ""},
           {"4096", "4KiB", ""},
           {"1G", "1GiB", ""},
           {"1kB", "1000B", ""},
           {"2 MB", "2000000B", ""},
           {"0", "0B", ""},
           {"9223372036854775807", "9223372036854775807B", ""}},
          parse_size, format_size);
}

TEST(Size, RefusesTheRest) {
    check({{"", "", "a number is missing"},
           {"MiB", "", "a number is missing"},
           {"-1", "", "a number is missing"},
           {"1.5GiB", "", "unknown unit"},
           {"5 lots", "", "unknown unit \"lots\""},
           {"9223372036854775808", "", "too large"},
           {"8388608TiB", "", "too large"},
           {"99999999999999999999999", "", "too large"}},
          parse_size, format_size);
}

TEST(Step, ReadsActionsWithTheirTimes) {
    const auto parse = [](std::string_view text) { return parse_step(text); };
    check({{"shutdown 3min", "shutdown 3min", ""},
           {"shutdown", "shutdown 5min", ""},
           {"shutdown:agent 1h 30min", "shutdown:agent 1h 30min", ""},
           {"shutdown:acpi 90", "shutdown:acpi 1min 30s", ""},
           {"save", "save 5min", ""},
           {"destroy", "destroy", ""},
           {"destroy 5s", "destroy 5s", ""},
           {"leave", "leave", ""},
           {"migrate:qemu+ssh://b/system 10min", "migrate:qemu+ssh://b/system 10min", ""}},
          parse, format_step);
    check({{"", "", "empty"},
           {"shutdwon 3min", "", "did you mean 'shutdown'?"},
           {"save 3mim", "", "\"3mim\" is no time: unknown unit"},
           {"save 0s", "", "needs some time"},
           {"leave 3s", "", "leave takes no time"},
           {"migrate:b 3s", "", "destination's URI"},
           {"migrate:", "", "destination's URI"},
           {"save:now", "", "unknown step"}},
          parse, format_step);
    EXPECT_EQ(parse_step("leave")->time, 0s);
    EXPECT_EQ(parse_step("migrate:x://y")->target, "x://y");
}

TEST(Probe, ReadsEveryKind) {
    check({{"running", "running", ""},
           {"agent", "agent", ""},
           {"address", "address", ""},
           {"io-settle", "io-settle", ""},
           {"io-settle:1MiB", "io-settle:1MiB:5s", ""},
           {"io-settle:1MiB:10s", "io-settle:1MiB:10s", ""},
           {"tcp:22", "tcp:22", ""},
           {"tcp:db.example:5432", "tcp:db.example:5432", ""},
           {"tcp:[::1]:65535", "tcp:[::1]:65535", ""},
           {"exec:/bin/true", "exec:/bin/true", ""},
           {"delay:90s", "delay:1min 30s", ""}},
          parse_probe, format_probe);
    check({{"", "", "unknown probe"},
           {"agnet", "", "did you mean 'agent'?"},
           {"agent:1", "", "takes no argument"},
           {"running:", "", "takes no argument"},
           {"tcp", "", "needs a port"},
           {"tcp:", "", "needs a port"},
           {"tcp:0", "", "from 1 to 65535"},
           {"tcp:65536", "", "from 1 to 65535"},
           {"tcp::22", "", "host is empty"},
           {"tcp:::1:22", "", "brackets"},
           {"exec:true", "", "absolute path"},
           {"delay:", "", "no time"},
           {"io-settle:fast", "", "no size"},
           {"io-settle:1MiB:soon", "", "no time"}},
          parse_probe, format_probe);
}

TEST(Need, ReadsEveryKind) {
    check({{"mount:/srv/images", "mount:/srv/images", ""},
           {"path:/dev/x:y", "path:/dev/x:y", ""},
           {"pool:ssd", "pool:ssd", ""},
           {"network:br-lan", "network:br-lan", ""},
           {"unit:iscsid.service", "unit:iscsid.service", ""}},
          parse_need, format_need);
    check({{"mount:srv", "", "absolute path"},
           {"path:", "", "absolute path"},
           {"pool:", "", "needs a name"},
           {"network", "", "needs a name"},
           {"unit:iscsid", "", "full name"},
           {"moutn:/srv", "", "did you mean 'mount'?"}},
          parse_need, format_need);
}

}  // namespace
}  // namespace guestd::config
