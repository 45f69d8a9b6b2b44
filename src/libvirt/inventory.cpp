// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/inventory.hpp"

#include <libvirt/virterror.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "libvirt/errors.hpp"
#include "libvirt/jobs.hpp"
#include "libvirt/mapping.hpp"
#include "libvirt/marks.hpp"
#include "libvirt/observe.hpp"
#include "libvirt/stats.hpp"

namespace guestd::libvirt {

namespace {

// The protocol takes 4096 statistics per reply; a quarter keeps one reply well below its 32 MiB.
constexpr std::size_t kStatsBatch = 1024;
// Each may wait 30 s for a job lock, on the thread that would notice a lost connection.
constexpr unsigned kMaxJobReadings = 64;

using Index = std::unordered_map<Uuid, std::size_t>;

/// Sets one flag of every guest by its own listing, or guest by guest where the driver has none.
template <class AskOne>
void read_flag(virConnectPtr connection, unsigned filter, bool GuestInfo::*flag,
               const Domains& domains, std::vector<GuestInfo>& guests, AskOne ask_one) {
    const auto listed = members(connection, filter);
    if (!listed && is_dead(connection)) {
        return;
    }
    for (std::size_t i = 0; i < guests.size(); ++i) {
        guests[i].*flag = listed ? listed->contains(guests[i].uuid) : ask_one(domains[i].get());
    }
}

void read_flags(virConnectPtr connection, const Domains& domains, std::vector<GuestInfo>& guests) {
    read_flag(connection, VIR_CONNECT_LIST_DOMAINS_PERSISTENT, &GuestInfo::persistent, domains,
              guests, [](virDomainPtr domain) { return virDomainIsPersistent(domain) != 0; });
    read_flag(connection, VIR_CONNECT_LIST_DOMAINS_AUTOSTART, &GuestInfo::autostart, domains,
              guests, [](virDomainPtr domain) {
                  int autostart = 0;
                  return virDomainGetAutostart(domain, &autostart) == 0 && autostart != 0;
              });
    read_flag(connection, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, &GuestInfo::managed_save, domains,
              guests,
              [](virDomainPtr domain) { return virDomainHasManagedSaveImage(domain, 0) == 1; });
}

void take_record(const virDomainStatsRecord& record, GuestInfo& guest, bool& has_state) {
    int state = -1;
    int reason = -1;
    if (virTypedParamsGetInt(record.params, record.nparams, "state.state", &state) == 1) {
        virTypedParamsGetInt(record.params, record.nparams, "state.reason", &reason);
        guest.state = state_of(state);
        guest.saving = is_paused_for_save(state, reason);
        guest.starting = is_starting(state, reason);
        has_state = true;
    }
    guest.memory = kib_of(record, "balloon.maximum");
}

/// Returns which guests have got a state.
std::vector<bool> read_states(const Domains& domains, std::vector<GuestInfo>& guests) {
    std::vector<bool> done(guests.size());
    Index index;
    for (std::size_t i = 0; i < guests.size(); ++i) {
        index.emplace(guests[i].uuid, i);
    }
    for (std::size_t begin = 0; begin < domains.size(); begin += kStatsBatch) {
        const auto end = std::min(begin + kStatsBatch, domains.size());
        std::vector<virDomainPtr> batch;
        for (std::size_t i = begin; i < end; ++i) {
            batch.push_back(domains[i].get());
        }
        batch.push_back(nullptr);
        StatsRecords records;
        const int count = read_stats(std::move(batch),
                                     VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON, records);
        for (int i = 0; i < count; ++i) {
            const auto at = index.find(uuid_of(records.list[i]->dom));
            if (at != index.end()) {
                bool has_state = false;
                take_record(*records.list[i], guests[at->second], has_state);
                done[at->second] = has_state;
            }
        }
    }
    return done;
}

/// For drivers without statistics, and guests that these left out.
void complete_states(virConnectPtr connection, const std::vector<bool>& done,
                     const Domains& domains, std::vector<GuestInfo>& guests) {
    if (std::find(done.begin(), done.end(), false) == done.end()) {
        return;
    }
    const auto running = members(connection, VIR_CONNECT_LIST_DOMAINS_RUNNING);
    const auto shutoff = members(connection, VIR_CONNECT_LIST_DOMAINS_SHUTOFF);
    for (std::size_t i = 0; i < guests.size(); ++i) {
        auto& guest = guests[i];
        if (done[i]) {
            continue;
        }
        int state = VIR_DOMAIN_SHUTOFF;
        int reason = 0;
        if (running && running->contains(guest.uuid)) {
            guest.state = GuestState::running;
        } else if (shutoff && shutoff->contains(guest.uuid)) {
            guest.state = GuestState::shutoff;
        } else if (virDomainGetState(domains[i].get(), &state, &reason, 0) == 0) {
            guest.state = state_of(state);
            guest.saving = is_paused_for_save(state, reason);
            guest.starting = is_starting(state, reason);
        } else if (last_fault().code == VIR_ERR_NO_DOMAIN) {
            guest.state = GuestState::absent;
        }
    }
}

void find_saves(const Domains& domains, std::vector<GuestInfo>& guests) {
    unsigned readings = 0;
    for (std::size_t i = 0; i < guests.size() && readings < kMaxJobReadings; ++i) {
        if (guests[i].state == GuestState::paused && !guests[i].saving && !guests[i].starting) {
            guests[i].saving = save_progress(domains[i].get()).has_value();
            ++readings;
        }
    }
}

}  // namespace

std::optional<Domains> list_domains(virConnectPtr connection, unsigned flags) {
    virDomainPtr* found = nullptr;
    const int count = virConnectListAllDomains(connection, &found, flags);
    if (count < 0) {
        return std::nullopt;
    }
    Domains domains;
    domains.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        domains.emplace_back(found[i]);
    }
    ::free(found);
    return domains;
}

std::optional<Members> members(virConnectPtr connection, unsigned flags) {
    const auto domains = list_domains(connection, flags);
    if (!domains) {
        return std::nullopt;
    }
    Members uuids;
    for (const auto& domain : *domains) {
        uuids.insert(uuid_of(domain.get()));
    }
    return uuids;
}

Result<std::vector<GuestInfo>> list_guests(const UriContext& context, virConnectPtr connection) {
    const auto domains = list_domains(connection, 0);
    if (!domains) {
        return fail(ErrorCode::unavailable, last_fault().message);
    }
    std::vector<GuestInfo> guests;
    guests.reserve(domains->size());
    for (const auto& domain : *domains) {
        const char* name = virDomainGetName(domain.get());
        guests.push_back({.uuid = uuid_of(domain.get()), .name = name != nullptr ? name : ""});
    }
    read_flags(connection, *domains, guests);
    complete_states(connection, read_states(*domains, guests), *domains, guests);
    find_saves(*domains, guests);
    for (std::size_t i = 0; i < guests.size(); ++i) {
        const auto domain = (*domains)[i].get();
        guests[i].metadata = read_metadata(context, domain);
        guests[i].remembered =
            guests[i].persistent && !is_active(guests[i].state) && is_marked(domain);
    }
    if (is_dead(connection)) {
        return fail(ErrorCode::unavailable, "the connection broke while listing");
    }
    std::erase_if(guests, [](const auto& guest) { return guest.state == GuestState::absent; });
    return guests;
}

}  // namespace guestd::libvirt
