// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/control.hpp"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "libvirt/connection.hpp"
#include "libvirt/errors.hpp"
#include "libvirt/inventory.hpp"
#include "libvirt/marks.hpp"
#include "libvirt/observe.hpp"
#include "libvirt/subscriptions.hpp"

namespace guestd::libvirt {

namespace {

/// One that stays away is not worth more than a look now and then.
constexpr Duration kLastBackoff = std::chrono::seconds{30};
/// An attempt that hangs is most likely libvirtd starting its guests, and will be served; more of
/// them only help where a connection got lost on the way (ssh, TCP).
constexpr unsigned kMaxAttempts = 3;
/// libvirtd serves while it still takes over the guests of its predecessor, and tells nobody of one
/// that it finds gone (seen on 9.0). They are looked for soon after connecting, then less and less:
/// a safety net for whatever else comes without an event.
constexpr Duration kFirstLook = std::chrono::seconds{1};
constexpr Duration kLastLook = std::chrono::seconds{64};
/// The release in which virDomainGetXMLDesc began to wait for jobs: 11.0.0.
constexpr unsigned long kXmlWaits = 11'000'000;
/// The last release that was seen to keep an image which it cannot open: 9.0.
constexpr unsigned long kKeepsUnopenedImage = 9'000'999;

}  // namespace

Control::Control(std::shared_ptr<UriContext> context, std::shared_ptr<CallPools> pools,
                 std::shared_ptr<SaveMonitor> saves, std::shared_ptr<AutostartMonitor> autostart,
                 Settings settings)
    : context_(std::move(context)),
      pools_(std::move(pools)),
      saves_(std::move(saves)),
      autostart_(std::move(autostart)),
      settings_(settings) {}

bool Control::start() {
    return context_->threads->spawn("virt-control", [self = shared_from_this()] { self->run(); });
}

void Control::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
}

void Control::hint() {
    const std::lock_guard lock{mutex_};
    if (!state_.listed) {
        hinted_ = true;
        changed_.notify_all();
    }
}

void Control::mind_waiting() {
    const std::lock_guard lock{mutex_};
    calls_wait_ = true;
    changed_.notify_all();
}

Control::State Control::state() const {
    const std::lock_guard lock{mutex_};
    return state_;
}

bool Control::is_over() const {
    const std::lock_guard lock{mutex_};
    return stopping_ || !broken_.empty();
}

void Control::broken(unsigned connection, const std::string& reason) {
    const std::lock_guard lock{mutex_};
    // A notice may come late, when the next connection is in use already.
    if (connection == connections_) {
        broken_ = reason;
        changed_.notify_all();
    }
}

void Control::lost(const std::string& reason) {
    {
        const std::lock_guard lock{mutex_};
        state_.listed = false;
        state_.reason = reason;
    }
    context_->outlet.lost(reason);
    pools_->fail_unreached(reason);
}

void Control::run() {
    while (auto connection = connect_at_last()) {
        if (serve(std::move(connection))) {
            backoff_ = kFirstBackoff;
        } else {
            back_off();
        }
    }
}

void Control::back_off() {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, backoff_, [&] { return won_ || stopping_ || hinted_; });
    backoff_ = std::min(backoff_ * 2, kLastBackoff);
    hinted_ = false;
}

bool Control::begin_attempt() {
    // Under the lock.
    if (pending_ >= kMaxAttempts) {
        return false;
    }
    ++pending_;
    ++state_.attempts;
    if (context_->threads->spawn("virt-connect",
                                 [self = shared_from_this()] { self->attempt(); })) {
        return true;
    }
    --pending_;
    failure_ = "the system gives no more threads";
    ++results_;
    return false;
}

void Control::attempt() {
    auto opened = connect(context_->uri);
    ConnectPtr surplus;  // closed outside the lock
    const std::lock_guard lock{mutex_};
    --pending_;
    ++results_;
    if (!opened) {
        failure_ = opened.error().message();
    } else if (won_ || stopping_) {
        surplus = std::move(*opened);
    } else {
        won_ = std::move(*opened);
    }
    changed_.notify_all();
}

/// Empty when stopping.
ConnectPtr Control::connect_at_last() {
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        const auto seen = results_;
        begin_attempt();
        const bool answered = changed_.wait_for(
            lock, settings_.connect_timeout, [&] { return won_ || stopping_ || results_ != seen; });
        if (!won_ && !stopping_) {
            const auto reason = answered ? failure_ : "libvirt does not answer";
            lock.unlock();
            lost(reason);
            back_off();
            lock.lock();
        }
        if (won_) {
            return std::move(won_);
        }
    }
    return nullptr;
}

bool Control::serve(ConnectPtr connection) {
    unsigned number = 0;
    {
        const std::lock_guard lock{mutex_};
        broken_.clear();
        number = ++connections_;
    }
    std::optional<CloseNotice> closed;
    if (keep_alive(connection.get())) {
        closed.emplace(connection.get(),
                       [weak = weak_from_this(), number](const std::string& reason) {
                           if (const auto self = weak.lock()) {
                               self->broken(number, reason);
                           }
                       });
    }
    // Held back until the listing, which they come after.
    context_->outlet.begin_listing();
    const GuestEvents events{connection.get(), context_};
    if (!list(connection.get())) {
        return false;
    }
    attend(connection);
    std::unique_lock lock{mutex_};
    const auto reason = broken_;
    lock.unlock();
    autostart_->disconnected();
    if (!reason.empty()) {
        lost(reason);
    }
    return true;
}

/// Until the connection breaks.
void Control::attend(const ConnectPtr& connection) {
    using Clock = std::chrono::steady_clock;
    auto interval = kFirstLook;
    auto look = Clock::now() + interval;
    auto relief = Clock::time_point::max();
    std::unique_lock lock{mutex_};
    suspects_ = false;
    while (!stopping_ && broken_.empty()) {
        changed_.wait_until(lock, std::min(look, relief), [&] {
            return stopping_ || !broken_.empty() || suspects_ ||
                   (calls_wait_ && relief == relief.max());
        });
        const auto now = Clock::now();
        const bool wait = std::exchange(calls_wait_, false);
        if (now >= relief) {
            lock.unlock();
            const bool waiting = pools_->relieve();
            lock.lock();
            relief = waiting ? now + settings_.short_is_slow / 4 : relief.max();
        }
        if (wait) {
            relief = std::min(relief, now + settings_.short_is_slow / 4);
        }
        if (std::exchange(suspects_, false)) {
            look = now + kFirstLook;  // not before: their events may be under way
        }
        if (now >= look) {
            if (look_for_gone(connection)) {
                interval = std::min(interval * 2, kLastLook);
            }
            look = now + interval;
        }
    }
}

/// On a thread of its own: libvirt lists nobody while it tries to end a QEMU that hangs. False
/// while an earlier one is not back.
bool Control::look_for_gone(const ConnectPtr& connection) {
    // Under the lock.
    if (looking_) {
        return false;
    }
    auto shared = std::make_shared<ConnectPtr>();
    virConnectRef(connection.get());
    shared->reset(connection.get());
    looking_ = context_->threads->spawn("virt-look", [self = shared_from_this(), shared] {
        bool suspects = false;
        try {
            const auto seen = self->context_->outlet.now();
            const auto active = members(shared->get(), VIR_CONNECT_LIST_DOMAINS_ACTIVE);
            suspects = active && self->context_->outlet.active_read(seen, *active);
        } catch (const std::bad_alloc&) {
            // The next look may have more.
        }
        shared->reset();
        const std::lock_guard lock{self->mutex_};
        self->looking_ = false;
        self->suspects_ = suspects;
        self->changed_.notify_all();
    });
    return looking_;
}

bool Control::list(virConnectPtr connection) {
    unsigned long version = 0;
    const bool known = virConnectGetLibVersion(connection, &version) == 0;
    context_->xml_waits_for_jobs = known && version >= kXmlWaits;
    context_->loses_unopened_image = !known || version > kKeepsUnopenedImage;
    auto guests = list_guests(*context_, connection);
    if (!guests) {
        lost(guests.error().with_context("listing the guests").message());
        return false;
    }
    {
        const std::lock_guard lock{mutex_};
        state_ = {.listed = true, .reason = "", .attempts = 0};
    }
    context_->outlet.publish(
        {.uri = context_->id, .guests = *guests, .long_calls = settings_.long_calls});
    autostart_->connected(connection);
    for (const auto& guest : *guests) {
        if (guest.saving) {
            saves_->adopt(guest.uuid);
        }
    }
    context_->listed();
    complete(connection, *guests);
    return true;
}

/// After the listing: calls per active guest, of which none is urgent.
void Control::complete(virConnectPtr connection, const std::vector<GuestInfo>& guests) {
    for (const auto& guest : guests) {
        if (is_over()) {
            return;
        }
        if (!is_active(guest.state)) {
            continue;
        }
        const auto mark = context_->outlet.mark(guest.uuid);
        const DomainPtr domain{virDomainLookupByUUID(connection, guest.uuid.raw().data())};
        const auto facts = domain ? read_xml(*context_, domain.get()) : std::nullopt;
        if (facts) {
            context_->outlet.disks_found(guest.uuid, mark, facts->disks);
        }
        if (facts && facts->agent_channel) {
            context_->outlet.agent_found(guest.uuid, mark, facts->agent_connected);
        }
        // The mark only matters for guests that are off; of one that is up it is a rare left-over.
        if (guest.persistent && domain && is_marked(domain.get())) {
            context_->outlet.look_again(guest.uuid);
        }
    }
}

}  // namespace guestd::libvirt
