// SPDX-License-Identifier: LGPL-2.1-or-later
// The key table itself: complete, and each key reads what it writes.
#include <gtest/gtest.h>

#include <set>

#include "config/config.hpp"

namespace guestd::config {
namespace {

TEST(ConfigKeys, AreToldOnceAndExplained) {
    std::set<std::string_view> names;
    for (const auto& key : all_keys()) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        EXPECT_TRUE(key.help.ends_with('.')) << key.name;
        EXPECT_FALSE(key.allowed(key.limits).empty()) << key.name;
    }
    EXPECT_EQ(names.size(), 41U);
}

/// Each default, written as TOML in the table where it belongs, gives the default again.
TEST(ConfigKeys, ReadWhatTheyWrite) {
    DaemonPolicy daemon;
    UriPolicy uri;
    GuestPolicy guest;
    for (const auto& key : all_keys()) {
        SCOPED_TRACE(key.name);
        const auto value = key.format(key.read({&daemon, &uri, &guest}));
        const bool for_guest = key.scope == Scope::guest_only;
        const auto kind = for_guest ? TableKind::guest : TableKind::global;
        const auto toml = std::string{for_guest ? "[[guest]]\nname = 'a'\n" : ""} +
                          spelling(key, kind) + " = " + value + "\n";
        const auto config = Config::load(text_source(toml));
        ASSERT_TRUE(config.has_value()) << toml << render_problem(config.error()[0]);
        const GuestFacts facts{"qemu:///system", {}, "a", {}};
        bool seen = false;
        for (const auto& each : (*config)->explain(for_guest ? &facts : nullptr, {})) {
            if (each.key != spelling(key, kind))
                continue;
            seen = true;
            EXPECT_EQ(each.value, value);
            EXPECT_NE(each.origin.layer, "built-in");
        }
        EXPECT_TRUE(seen);
    }
}

TEST(ConfigKeys, AreSpelledForTheirTable) {
    EXPECT_EQ(find_key(TableKind::guest, "start.ready"), find_key(TableKind::uri, "boot.ready"));
    EXPECT_EQ(find_key(TableKind::guest, "boot.ready"), nullptr);
    EXPECT_EQ(find_key(TableKind::global, "start.ready"), nullptr);
    EXPECT_EQ(find_key(TableKind::guest, "shutdown.deadline"), nullptr);
    EXPECT_NE(find_key(TableKind::uri, "shutdown.deadline"), nullptr);
    EXPECT_EQ(find_key(TableKind::uri, "daemon.uris"), nullptr);
    EXPECT_EQ(find_key(TableKind::global, "tier"), nullptr);
    EXPECT_NE(find_key(TableKind::guest, "tier"), nullptr);
}

}  // namespace
}  // namespace guestd::config
