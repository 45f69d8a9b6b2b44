// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/observe.hpp"

#include <libvirt/virterror.h>

#include <string_view>

#include "libvirt/errors.hpp"
#include "libvirt/jobs.hpp"
#include "libvirt/mapping.hpp"
#include "libvirt/marks.hpp"

namespace guestd::libvirt {

namespace {

/// One more than config/metadata.hpp takes, so that it says that there is too much.
constexpr std::size_t kMaxMetadata = std::size_t{64} * 1024 + 1;

struct State {
    int state = 0;
    int reason = 0;
};

/// Empty with `gone` set when there is no such guest.
std::optional<State> read_state(virDomainPtr domain, bool& gone) {
    State read;
    if (virDomainGetState(domain, &read.state, &read.reason, 0) == 0) {
        return read;
    }
    gone = last_fault().code == VIR_ERR_NO_DOMAIN;
    return std::nullopt;
}

/// A third of what is asked of each guest of a drain, spared: one that ran without an image and
/// went down by itself has none. "Destroyed" says less: that may have ended a restore.
bool may_have_image(const State& state, const std::optional<KnownGuest>& known) {
    return state.state != VIR_DOMAIN_SHUTOFF || state.reason != VIR_DOMAIN_SHUTOFF_SHUTDOWN ||
           !known || !known->runs_without_image;
}

/// And has done nothing since.
bool has_been_saved(const State& state) {
    return state.state == VIR_DOMAIN_SHUTOFF && state.reason == VIR_DOMAIN_SHUTOFF_SAVED;
}

void read_flags(virDomainPtr domain, const State& state, GuestInfo& info, Depth depth,
                const std::optional<KnownGuest>& known, bool has_image) {
    // One that is off and still there has a definition, unless it is about to go with its last.
    const bool is_defined = known && known->persistent && !is_active(info.state);
    info.persistent = is_defined || virDomainIsPersistent(domain) != 0;
    info.managed_save =
        depth != Depth::least && may_have_image(state, known) &&
        ((has_image && has_been_saved(state)) || virDomainHasManagedSaveImage(domain, 0) == 1);
    if (known && !known->stale && depth == Depth::state) {
        info.autostart = known->autostart;  // the monitor keeps it true
        return;
    }
    int autostart = 0;
    info.autostart = virDomainGetAutostart(domain, &autostart) == 0 && autostart != 0;
}

void read_definition(UriContext& context, virDomainPtr domain, GuestInfo& info) {
    const auto mark = context.outlet.mark(info.uuid);
    info.metadata = read_metadata(context, domain);
    info.remembered = info.persistent && is_marked(domain);
    if (const auto facts = read_xml(context, domain)) {
        info.memory = facts->memory;
        info.agent_channel = facts->agent_channel;
        info.agent_connected = facts->agent_connected;
        context.outlet.disks_found(info.uuid, mark, facts->disks);
    }
}

}  // namespace

std::optional<XmlFacts> read_xml(const UriContext& context, virDomainPtr domain) {
    if (context.xml_waits_for_jobs) {
        virDomainControlInfo control{};
        if (virDomainGetControlInfo(domain, &control, 0) == 0 &&
            control.state != VIR_DOMAIN_CONTROL_OK) {
            return std::nullopt;
        }
    }
    const TextPtr text{virDomainGetXMLDesc(domain, 0)};
    return text ? std::optional{parse_domain_xml(text.get())} : std::nullopt;
}

std::string read_metadata(const UriContext& context, virDomainPtr domain) {
    if (!context.read_metadata) {
        return {};
    }
    const TextPtr text{virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, kPolicyNamespace,
                                            VIR_DOMAIN_AFFECT_CURRENT)};
    return text ? std::string{std::string_view{text.get()}.substr(0, kMaxMetadata)} : std::string{};
}

std::optional<GuestInfo> observe(UriContext& context, virDomainPtr domain, Depth depth,
                                 bool has_image) {
    GuestInfo info;
    info.uuid = uuid_of(domain);
    if (const char* name = virDomainGetName(domain); name != nullptr) {
        info.name = name;
    }
    bool gone = false;
    const auto state = read_state(domain, gone);
    if (!state) {
        info.state = GuestState::absent;
        info.persistent = false;
        return gone ? std::optional{info} : std::nullopt;
    }
    info.state = state_of(state->state);
    info.starting = is_starting(state->state, state->reason);
    const auto known = context.outlet.known(info.uuid);
    read_flags(domain, *state, info, depth, known, has_image);
    if (known) {
        recall(*known, info);
    }
    if (depth == Depth::least) {
        return info;
    }
    // Drivers without statistics (libvirt's test driver, a few others) list no memory. Of a guest
    // that is off only a boot would want it, to hold its start (min_free_memory); four more round
    // trips for each guest that stops are not worth that.
    const bool lacks_memory = known && known->memory == Bytes{} && is_active(info.state);
    if (depth == Depth::definition || !known || known->stale || lacks_memory) {
        read_definition(context, domain, info);
    }
    // Most saves show in the pause reason; a guest that was paused before keeps its own.
    info.saving = is_paused_for_save(state->state, state->reason) ||
                  (info.state == GuestState::paused && !info.starting && save_progress(domain));
    return info;
}

}  // namespace guestd::libvirt
