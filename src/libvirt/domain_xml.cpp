// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/domain_xml.hpp"

#include <pugixml.hpp>
#include <string_view>

namespace guestd::libvirt {

namespace {

constexpr std::string_view kAgentChannel = "org.qemu.guest_agent.0";

}  // namespace

XmlFacts parse_domain_xml(const char* text) {
    XmlFacts facts;
    pugi::xml_document document;
    if (!document.load_string(text)) {
        return facts;
    }
    const auto domain = document.child("domain");
    // libvirt always writes KiB here, whatever it was given.
    facts.memory = Bytes{domain.child("memory").text().as_ullong() * 1024};
    for (const auto& disk : domain.child("devices").children("disk")) {
        facts.disks.emplace_back(disk.child("target").attribute("dev").as_string());
    }
    for (const auto& interface : domain.child("devices").children("interface")) {
        facts.macs.emplace_back(interface.child("mac").attribute("address").as_string());
    }
    for (const auto& channel : domain.child("devices").children("channel")) {
        const auto target = channel.child("target");
        if (kAgentChannel == target.attribute("name").as_string()) {
            facts.agent_channel = true;
            facts.agent_connected =
                std::string_view{"connected"} == target.attribute("state").as_string();
        }
    }
    return facts;
}

}  // namespace guestd::libvirt
