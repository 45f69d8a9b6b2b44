// SPDX-License-Identifier: LGPL-2.1-or-later
// The last good copy: one string that gives the same configuration, origins included.
#include <gtest/gtest.h>

#include "config/config.hpp"

namespace guestd::config {
namespace {

Sources some_sources() {
    auto sources = text_source("[boot]\nstart_delay = 3\n", "/etc/guestd/guestd.toml");
    sources.list.push_back({SourceKind::toml, "a name\nwith a line end", "boot.resume = false"});
    sources.list.push_back({SourceKind::toml, "empty", ""});
    sources.list.push_back({SourceKind::sysconfig, "/etc/default/guestd", "START_DELAY=5\n"});
    return sources;
}

TEST(ConfigBundle, GivesTheSameConfigurationAgain) {
    const auto before = Config::load(some_sources()).value();
    const auto after = Config::load_bundle(before->bundle()).value();
    EXPECT_EQ(after->bundle(), before->bundle());
    const auto expected = before->explain(nullptr, {});
    const auto found = after->explain(nullptr, {});
    ASSERT_EQ(found.size(), expected.size());
    bool from_sysconfig = false;
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].value, expected[i].value);
        EXPECT_EQ(found[i].origin, expected[i].origin);
        from_sysconfig |= found[i].origin == Origin{"sysconfig", "/etc/default/guestd", 1, 1};
    }
    EXPECT_TRUE(from_sysconfig);
}

TEST(ConfigBundle, OfNothingIsBuiltIn) {
    const auto config = Config::load_bundle(Config::built_in()->bundle());
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ((*config)->daemon().uris, DaemonPolicy{}.uris);
}

TEST(ConfigBundle, IsRefusedWhenCutOrChanged) {
    const auto whole = Config::load(some_sources()).value()->bundle();
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_FALSE(open_bundle(whole.substr(0, length)).has_value()) << length;
    EXPECT_FALSE(open_bundle(whole + "x").has_value());
    const std::string kFirst = "guestd configuration 1, sources: 1\n";
    EXPECT_TRUE(open_bundle(kFirst + "toml 1 1\na\nb\n").has_value());
    EXPECT_FALSE(open_bundle("").has_value());
    EXPECT_FALSE(open_bundle("something else\n").has_value());
    EXPECT_FALSE(open_bundle(kFirst + "toml 1 99999999999999999999\na\nb\n"));
    EXPECT_FALSE(open_bundle(kFirst + "toml 1 18446744073709551615\na\nb\n"));
    EXPECT_FALSE(open_bundle(kFirst + "yaml 1 1\na\nb\n"));
    EXPECT_FALSE(open_bundle(kFirst + "toml 1 1\naXb\n"));
    const auto config = Config::load_bundle("nonsense");
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(render_problem(config.error()[0]), "last good copy: not a stored configuration");
}

}  // namespace
}  // namespace guestd::config
