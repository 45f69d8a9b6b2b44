// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/marks.hpp"

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

namespace {

#if LIBVIR_CHECK_VERSION(11, 2, 0)

int set_once(virDomainPtr domain, bool wanted) {
    return virDomainSetAutostartOnce(domain, wanted ? 1 : 0);
}

bool is_once(virDomainPtr domain) {
    int once = 0;
    return virDomainGetAutostartOnce(domain, &once) == 0 && once != 0;
}

constexpr bool kHasOnce = true;

#else

int set_once(virDomainPtr, bool) {
    return -1;
}

bool is_once(virDomainPtr) {
    return false;
}

constexpr bool kHasOnce = false;

#endif

int set_element(virDomainPtr domain, const char* element) {
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, element,
                                element != nullptr ? "guestd" : nullptr, kResumeNamespace,
                                VIR_DOMAIN_AFFECT_CONFIG);
}

}  // namespace

int mark(virDomainPtr domain) {
    if (kHasOnce) {
        const int outcome = set_once(domain, true);
        if (outcome == 0 || !is_unsupported(last_fault())) {
            return outcome;
        }
    }
    return set_element(domain, "<resume/>");
}

int unmark(virDomainPtr domain) {
    const bool once_taken = kHasOnce && set_once(domain, false) == 0;
    if (kHasOnce && !once_taken && !is_unsupported(last_fault())) {
        return -1;
    }
    const int outcome = set_element(domain, nullptr);
    return once_taken && outcome < 0 && is_unsupported(last_fault()) ? 0 : outcome;
}

bool is_marked(virDomainPtr domain) {
    if (is_once(domain)) {
        return true;
    }
    const TextPtr text{virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, kResumeNamespace,
                                            VIR_DOMAIN_AFFECT_CONFIG)};
    return text != nullptr;
}

}  // namespace guestd::libvirt
