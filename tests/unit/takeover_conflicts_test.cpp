// SPDX-License-Identifier: LGPL-2.1-or-later
// What guestd says about others that start or stop guests, from facts alone.
#include <gmock/gmock.h>

#include "takeover/conflicts.hpp"

namespace guestd::takeover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A host on which guestd has taken over, with three flagged guests.
HostFacts taken_over() {
    HostFacts host;
    host.drivers = {DriverFacts{.driver = drivers()[0],
                                .configured = true,
                                .throttle = true,
                                .setting = "throttle",
                                .marker = true,
                                .flagged = 3}};
    host.guestd_enabled = host.hold_enabled = true;
    return host;
}

struct Case {
    const char* what;
    void (*change)(HostFacts&);
    std::vector<const char*> said;  ///< a part of each sentence
};

const Case kCases[] = {
    {"all is well", [](HostFacts&) {}, {}},
    {"libvirt-guests is enabled",
     [](HostFacts& host) { host.libvirt_guests_enabled = true; },
     {"systemctl disable libvirt-guests"}},
    {"libvirt-guests is enabled and active: said once",
     [](HostFacts& host) { host.libvirt_guests_enabled = host.libvirt_guests_active = true; },
     {"is enabled too"}},
    {"libvirt-guests is only active",
     [](HostFacts& host) { host.libvirt_guests_active = true; },
     {"still active; do not stop it"}},
    {"libvirt stops guests itself",
     [](HostFacts& host) { host.auto_shutdown = {"auto_shutdown_try_save = \"persistent\""}; },
     {"qemu.conf says auto_shutdown_try_save = \"persistent\""}},
    {"the marker is missing",
     [](HostFacts& host) { host.drivers[0].marker = false; },
     {"3 autostart guests, and nothing holds libvirt off: /run/libvirt/qemu/autostarted"}},
    {"the marker is missing and nobody is flagged",
     [](HostFacts& host) {
         host.drivers[0].marker = false;
         host.drivers[0].flagged = 0;
     },
     {}},
    {"the marker is missing and the flags cannot be read",
     [](HostFacts& host) {
         host.drivers[0].marker = false;
         host.drivers[0].flagged.reset();
     },
     {}},
    {"the marker is missing and libvirt is to start them",
     [](HostFacts& host) {
         host.drivers[0].marker = false;
         host.drivers[0].throttle = false;
     },
     {}},
    {"nothing makes the marker at boot",
     [](HostFacts& host) { host.hold_enabled = false; },
     {"guestd-autostart.service is not enabled: at the next boot libvirt starts all"}},
    {"held off, and nobody to start them",
     [](HostFacts& host) {
         host.guestd_enabled = false;
         host.drivers[0].flagged = 1;
     },
     {"1 autostart guest is held off"}},
};

TEST(Conflicts, AreSaidOnceEach) {
    for (const auto& [what, change, said] : kCases) {
        SCOPED_TRACE(what);
        auto host = taken_over();
        change(host);
        const auto found = conflicts(host);
        ASSERT_EQ(found.size(), said.size()) << testing::PrintToString(found);
        for (std::size_t i = 0; i < said.size(); ++i)
            EXPECT_THAT(found[i], HasSubstr(said[i]));
    }
}

TEST(Conflicts, AreAllSaid) {
    auto host = taken_over();
    host.libvirt_guests_enabled = true;
    host.auto_shutdown = {"a", "b"};
    host.drivers[0].marker = host.hold_enabled = false;
    EXPECT_EQ(conflicts(host).size(), 5U);
}

TEST(Starter, IsWhoeverActsAtTheNextBoot) {
    auto host = taken_over();
    const auto starter = [&] { return starter_of(host.drivers[0], host); };
    EXPECT_EQ(starter(), Starter::guestd);
    host.drivers[0].marker = false;  // of this boot; the unit makes the next one
    EXPECT_EQ(starter(), Starter::guestd);
    host.guestd_enabled = false;
    EXPECT_EQ(starter(), Starter::nobody);
    host.hold_enabled = false;
    EXPECT_EQ(starter(), Starter::libvirt);
    host = taken_over();
    host.hold_enabled = false;
    EXPECT_EQ(starter(), Starter::libvirt);
    host = taken_over();
    host.drivers[0].throttle = false;
    EXPECT_EQ(starter(), Starter::libvirt);
}

TEST(AutoShutdown, IsReadAsLibvirtReadsIt) {
    EXPECT_THAT(auto_shutdown_of("#auto_shutdown_try_save = \"all\"\n"
                                 "auto_shutdown_wait = 30\n"
                                 "auto_shutdown_try_shutdown = \"none\"\n"),
                IsEmpty());
    EXPECT_THAT(
        auto_shutdown_of("  auto_shutdown_try_save=\"persistent\"  # ours\n"
                         "auto_shutdown_poweroff =\t'all'\r\n"),
        ElementsAre("auto_shutdown_try_save = \"persistent\"", "auto_shutdown_poweroff = \"all\""));
    EXPECT_THAT(auto_shutdown_of("auto_shutdown_try_shutdown = \"all\"\n"
                                 "auto_shutdown_try_shutdown = \"none\"\n"),
                IsEmpty());
    EXPECT_THAT(auto_shutdown_of("= \"x\"\n\"\nauto_shutdown_try_save =\n"),
                ElementsAre("auto_shutdown_try_save = \"\""));
    EXPECT_THAT(auto_shutdown_of("auto_shutdown_try_save = \"all"),
                ElementsAre("auto_shutdown_try_save = \"all\""));
}

TEST(Drivers, AreThoseOfThisHost) {
    EXPECT_EQ(driver_of("qemu:///system"), &drivers()[0]);
    EXPECT_EQ(driver_of("lxc:///"), driver_of("lxc:///system"));
    EXPECT_EQ(driver_of("xen:///")->folder, "libxl");
    for (const char* uri : {"qemu:///session", "qemu+ssh://b/system", "test:///default", ""})
        EXPECT_EQ(driver_of(uri), nullptr) << uri;
}

}  // namespace
}  // namespace guestd::takeover
