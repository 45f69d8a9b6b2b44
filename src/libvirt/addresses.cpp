// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/addresses.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libvirt/agent_bounds.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/observe.hpp"

namespace guestd::libvirt {

namespace {

enum class Family { none, v4, v6 };

Family family_of(const std::string& text) {
    in_addr four{};
    if (inet_pton(AF_INET, text.c_str(), &four) == 1) {
        const auto address = ntohl(four.s_addr);
        const auto net = address >> 24;
        const bool link_local = address >> 16 == 0xa9fe;
        return net == 0 || net == 127 || net >= 224 || link_local ? Family::none : Family::v4;
    }
    in6_addr six{};
    if (inet_pton(AF_INET6, text.c_str(), &six) != 1 || IN6_IS_ADDR_UNSPECIFIED(&six) ||
        IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_LINKLOCAL(&six) || IN6_IS_ADDR_MULTICAST(&six)) {
        return Family::none;
    }
    return Family::v6;
}

bool is_one_of(const std::string& mac, const std::vector<std::string>& macs) {
    return std::ranges::any_of(
        macs, [&](const auto& each) { return strcasecmp(each.c_str(), mac.c_str()) == 0; });
}

struct Interfaces {
    virDomainInterfacePtr* list = nullptr;
    int count = 0;

    Interfaces() = default;
    ~Interfaces() {
        for (int i = 0; i < count; ++i) {
            virDomainInterfaceFree(list[i]);
        }
        ::free(list);
    }
    Interfaces(const Interfaces&) = delete;
    Interfaces& operator=(const Interfaces&) = delete;
};

tl::expected<std::vector<GuestAddress>, Fault> ask(virDomainPtr domain, unsigned source) {
    Interfaces found;
    found.count = virDomainInterfaceAddresses(domain, &found.list, source, 0);
    if (found.count < 0) {
        return tl::unexpected{last_fault()};
    }
    std::vector<GuestAddress> all;
    for (int i = 0; i < found.count; ++i) {
        const auto& each = *found.list[i];
        for (unsigned k = 0; k < each.naddrs; ++k) {
            const char* text = each.addrs[k].addr;
            all.push_back({each.hwaddr != nullptr ? each.hwaddr : "", text != nullptr ? text : ""});
        }
    }
    return all;
}

tl::expected<std::string, Fault> ask_agent(UriContext& context, virDomainPtr domain) {
    const AgentBound bound{context.agent_bounds, domain};
    if (bound.fault()) {
        return tl::unexpected{*bound.fault()};
    }
    return ask(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT).map([&](const auto& found) {
        const auto facts = found.empty() ? std::nullopt : read_xml(context, domain);
        return best_address(found, facts ? facts->macs : std::vector<std::string>{});
    });
}

tl::expected<std::string, Fault> ask_host(virDomainPtr domain, unsigned source) {
    return ask(domain, source).map([](const auto& found) { return best_address(found, {}); });
}

}  // namespace

std::string best_address(const std::vector<GuestAddress>& found,
                         const std::vector<std::string>& macs) {
    const GuestAddress* best = nullptr;
    std::pair<bool, bool> best_rank;
    for (const auto& each : found) {
        const auto family = family_of(each.text);
        const std::pair rank{!is_one_of(each.mac, macs), family == Family::v6};
        if (family != Family::none && (best == nullptr || rank < best_rank)) {
            best = &each;
            best_rank = rank;
        }
    }
    return best != nullptr ? best->text : "";
}

tl::expected<std::string, Fault> find_address(UriContext& context, virDomainPtr domain) {
    const auto known = context.outlet.known(uuid_of(domain));
    std::optional<Fault> fault;
    bool answered = false;
    for (const unsigned source :
         {VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
          VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP}) {
        const bool agent = source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT;
        if (agent && (!known || !known->agent_connected)) {
            continue;
        }
        auto found = agent ? ask_agent(context, domain) : ask_host(domain, source);
        if (found && !found->empty()) {
            return found;
        }
        if (!found && is_dead(virDomainGetConnect(domain))) {
            return found;
        }
        // Or one that cannot tell now (a network that is down, an agent that is silent).
        if (found || !is_unsupported(found.error())) {
            answered = true;
        } else {
            fault = found.error();
        }
    }
    return answered || !fault ? tl::expected<std::string, Fault>{""} : tl::unexpected{*fault};
}

}  // namespace guestd::libvirt
