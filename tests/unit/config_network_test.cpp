// SPDX-License-Identifier: LGPL-2.1-or-later
// What a configuration needs the network for, and where it says so.
#include <gtest/gtest.h>

#include "config/config.hpp"

namespace guestd::config {
namespace {

/// "" = it does without.
std::string need(std::string toml, std::string sysconfig = {}) {
    auto sources = text_source(std::move(toml), "f");
    if (!sysconfig.empty())
        sources.list.push_back({SourceKind::sysconfig, "sys", std::move(sysconfig)});
    const auto config = Config::load(sources);
    if (!config)
        return "refused: " + render_problem(config.error()[0]);
    const auto found = (*config)->network_need();
    return found ? render_problem(*found) : "";
}

TEST(ConfigNetwork, IsNotNeededByWhatIsOnThisHost) {
    EXPECT_FALSE(Config::built_in()->network_need());
    EXPECT_EQ(need("[daemon]\nuris = ['qemu:///system', 'test+unix:///default?socket=/x']"), "");
    EXPECT_EQ(need("[boot]\nready = ['agent', 'address', 'io-settle', 'delay:5s', 'running']"), "");
    EXPECT_EQ(need("[[guest]]\nname = 'tcp:*'\nstart.needs = ['network:lan', 'path:/exec:']"), "");
    // libvirtd migrates, not guestd.
    EXPECT_EQ(need("[shutdown]\nstop = ['migrate:qemu+ssh://other/system 5min', 'shutdown']"), "");
    EXPECT_EQ(need("", "URIS=default\n"), "");
}

TEST(ConfigNetwork, IsNeededByRemoteUris) {
    EXPECT_EQ(need("[daemon]\nuris = ['lxc:///system', 'qemu+ssh://other/system']"),
              "f:2:1: \"qemu+ssh://other/system\" needs the network");
    EXPECT_EQ(need("", "URIS='qemu:///system xen://h/'\n"),
              "sys:1:1: \"xen://h/\" needs the network");
    // The stronger list is the one that is used.
    EXPECT_EQ(need("[daemon]\nuris = ['xen://h/']", "URIS=default\n"), "");
    EXPECT_EQ(need("[daemon]\nuris = ['lxc:///']", "URIS=xen://h/\n"),
              "sys:1:1: \"xen://h/\" needs the network");
}

TEST(ConfigNetwork, IsNeededByProbesOfAnyTable) {
    const std::string guest = "[[guest]]\nname = 'a'\n";
    const std::string uri = "[[uri]]\nuri = 'qemu:///system'\n";
    EXPECT_EQ(need("[boot]\nready = 'tcp:22'"), "f:2:1: \"tcp:22\" needs the network");
    EXPECT_EQ(need(uri + "boot.ready = ['agent', 'tcp:[::1]:22']"),
              "f:3:6: \"tcp:[::1]:22\" needs the network");
    EXPECT_EQ(need(guest + "start.ready = ['agent']\n[[guest]]\nname = 'b'\n"
                           "start.ready = ['exec:/bin/true']"),
              "f:6:7: \"exec:/bin/true\" needs the network");
}

}  // namespace
}  // namespace guestd::config
