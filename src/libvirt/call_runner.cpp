// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/call_runner.hpp"

#include <libvirt/virterror.h>

#include <utility>

#include "libvirt/actions.hpp"
#include "libvirt/errors.hpp"

namespace guestd::libvirt {

namespace {

/// What is read back after a success; a failure is always followed by a reading.
std::optional<Depth> reading_after(CallKind kind) {
    switch (kind) {
        case CallKind::start:
            return Depth::definition;
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
            return Depth::least;
        case CallKind::probe:  // of a guest that was defined anew, its definition comes along
        case CallKind::save:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::migrate:
            return Depth::state;
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::shutdown_acpi:
        case CallKind::set_time:
        case CallKind::ping_agent:
        case CallKind::find_address:
        case CallKind::inspect_image:
        case CallKind::inspect:
        case CallKind::remember:
        case CallKind::forget:
            return std::nullopt;
    }
    return std::nullopt;
}

GuestInfo absent(const Uuid& uuid) {
    return {.uuid = uuid, .state = GuestState::absent, .persistent = false};
}

/// Looks the guest up, once more on a new connection if the old one turns out to be dead: nothing
/// has been asked for yet.
DomainPtr look_up(Connection& connection, const Uuid& uuid, virConnectPtr& handle, Fault& fault) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto opened = connection.open();
        if (!opened) {
            handle = nullptr;
            fault = {VIR_ERR_NO_CONNECT, opened.error().message()};
            return nullptr;
        }
        handle = *opened;
        if (auto domain = connection.find(uuid)) {
            return domain;
        }
        fault = last_fault();
        if (!is_dead(handle)) {
            break;
        }
    }
    return nullptr;
}

void not_found(const Fault& fault, virConnectPtr handle, CallReturned& result) {
    result.message = fault.message;
    if (fault.code == VIR_ERR_NO_DOMAIN) {
        result.status = CallStatus::refused;
        result.observed = absent(result.guest.uuid);
    } else {
        result.status = handle == nullptr ? CallStatus::unknown : status_of(fault, handle);
    }
}

void take_over(Acted& acted, CallReturned& result) {
    result.bytes = acted.bytes;
    result.job = acted.job;
    result.missing = std::move(acted.missing);
    result.address = std::move(acted.address);
    result.image = std::move(acted.image);
    result.message = acted.fault ? acted.fault->message : "";
    if (!acted.remark.empty()) {
        result.message += (result.message.empty() ? "" : "; ") + acted.remark;
    }
}

}  // namespace

Carried carry_out(UriContext& context, Connection& connection, const Call& call,
                  const std::function<bool()>& may_act) {
    Carried carried{{.id = call.id, .guest = call.guest}, context.outlet.mark(call.guest.uuid)};
    auto& result = carried.result;
    virConnectPtr handle = nullptr;
    Fault fault;
    const auto domain = look_up(connection, call.guest.uuid, handle, fault);
    if (handle != nullptr) {
        context.answered();
    }
    if (!domain) {
        not_found(fault, handle, result);
        return carried;
    }
    if (!may_act()) {
        result.status = CallStatus::unknown;
        return carried;
    }
    auto depth = reading_after(call.kind);
    auto acted = act(context, domain.get(), call);
    take_over(acted, result);
    if (acted.fault) {
        const auto status = status_of(*acted.fault, handle);
        result.status = status == CallStatus::refused && acted.unfit ? CallStatus::unfit : status;
        depth = depth == Depth::least ? Depth::least : Depth::state;
    }
    carried.place = context.outlet.mark(call.guest.uuid);
    if (depth && !is_dead(handle)) {
        carried.depth = *depth;
        const bool has_image = result.image && !result.image->partial;
        result.observed = observe(context, domain.get(), *depth, has_image);
    }
    return carried;
}

void read_again(UriContext& context, Connection& connection, Carried& carried) {
    auto& result = carried.result;
    carried.place = context.outlet.mark(result.guest.uuid);
    result.observed.reset();
    virConnectPtr handle = nullptr;
    Fault fault;
    if (const auto domain = look_up(connection, result.guest.uuid, handle, fault)) {
        result.observed = observe(context, domain.get(), carried.depth);
    } else if (fault.code == VIR_ERR_NO_DOMAIN) {
        result.observed = absent(result.guest.uuid);
    }
}

}  // namespace guestd::libvirt
