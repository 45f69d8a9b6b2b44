// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/starting.hpp"

#include <libvirt/virterror.h>
#include <unistd.h>

#include <pugixml.hpp>
#include <string_view>

#include "libvirt/disk_files.hpp"
#include "libvirt/flags.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/saved_image.hpp"

namespace guestd::libvirt {

namespace {

int create(const UriContext& context, virDomainPtr domain, const Call& call) {
    const bool safe = !context.loses_unopened_image || context.space->opens_directly();
    const unsigned cache = call.bypass_cache && safe ? VIR_DOMAIN_START_BYPASS_CACHE + 0U : 0U;
    // Never dropped: without it the guest would wake up from the very image it must not use.
    const unsigned force = call.force_boot ? VIR_DOMAIN_START_FORCE_BOOT + 0U : 0U;
    return with_flags({cache | force, force}, [&](unsigned flags) {
        return with_bypass(VIR_DOMAIN_START_BYPASS_CACHE, flags, [domain](unsigned these) {
            return virDomainCreateWithFlags(domain, these);
        });
    });
}

/// Of a driver that has no flag for it.
int boot_without_image(virDomainPtr domain) {
    const bool none = virDomainHasManagedSaveImage(domain, 0) != 1;
    return none || virDomainManagedSaveRemove(domain, 0) == 0 ? virDomainCreate(domain) : -1;
}

Acted force_boot(const UriContext& context, virDomainPtr domain, const Call& call) {
    SetAside aside{context, domain};
    if (!aside.failure().empty()) {
        return {.fault = Fault{VIR_ERR_OPERATION_FAILED, aside.failure()}};
    }
    auto acted = outcome(create(context, domain, call));
    if (acted.fault && is_unsupported(*acted.fault)) {
        acted = outcome(boot_without_image(domain));
    }
    if (acted.fault && virDomainHasManagedSaveImage(domain, 0) == 1) {
        aside.undo();
    }
    acted.remark = aside.text();
    return acted;
}

/// It asks for something of the host that a module, a udev rule or a plug may still bring.
bool wants_devices(const UriContext& context, const char* xml) {
    pugi::xml_document document;
    if (!document.load_string(xml)) {
        return true;
    }
    const auto domain = document.child("domain");
    const bool kvm = std::string_view{"kvm"} == domain.attribute("type").as_string();
    const auto devices = domain.child("devices");
    return (kvm && !(context.is_local && access("/dev/kvm", F_OK) == 0)) ||
           devices.child("hostdev") ||
           devices.find_child_by_attribute("interface", "type", "hostdev");
}

void explain(const UriContext& context, virDomainPtr domain, const Call& call, Acted& acted) {
    // A restore goes by the definition in the image.
    const bool restored = !call.force_boot && virDomainHasManagedSaveImage(domain, 0) == 1;
    const TextPtr xml{restored ? virDomainManagedSaveGetXMLDesc(domain, 0)
                               : virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE)};
    if (!xml) {
        return;
    }
    if (context.is_local) {
        acted.missing = missing_files(disk_files(xml.get()));
    }
    acted.unfit = blames_definition(*acted.fault) && acted.missing.empty() && !restored &&
                  !wants_devices(context, xml.get());
}

}  // namespace

Acted start(const UriContext& context, virDomainPtr domain, const Call& call) {
    auto acted = call.force_boot ? force_boot(context, domain, call)
                                 : outcome(create(context, domain, call));
    if (acted.fault && !is_dead(virDomainGetConnect(domain))) {
        explain(context, domain, call, acted);
    }
    return acted;
}

bool blames_definition(const Fault& fault) {
    // Not NO_NETWORK, NO_STORAGE_POOL and the like: those come up, or are defined, later. Not
    // NO_SUPPORT and INVALID_ARG: they are about the call.
    switch (fault.code) {
        case VIR_ERR_XML_ERROR:
        case VIR_ERR_XML_DETAIL:
        case VIR_ERR_XML_INVALID_SCHEMA:
        case VIR_ERR_OS_TYPE:
        case VIR_ERR_CONFIG_UNSUPPORTED:
            return true;
        default:
            return false;
    }
}

}  // namespace guestd::libvirt
