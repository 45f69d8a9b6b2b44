// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/need_monitor.hpp"

#include <libvirt/virterror.h>

#include <algorithm>
#include <utility>

#include "libvirt/connection.hpp"
#include "libvirt/errors.hpp"
#include "libvirt/need_events.hpp"

namespace guestd::libvirt {

namespace {

/// Two that hang leave one for the others. libvirtd has five priority workers for looking.
constexpr unsigned kReaders = 3;

using PoolPtr = std::unique_ptr<virStoragePool, Deleter<virStoragePoolFree>>;
using NetworkPtr = std::unique_ptr<virNetwork, Deleter<virNetworkFree>>;

/// Read while its handle is held: giving that back makes libvirt forget the fault.
struct Activity {
    int active = 0;  ///< 1 = yes, 0 = no, -1 = `fault`
    Fault fault{};
};

Activity activity(int active) {
    return active < 0 ? Activity{active, last_fault()} : Activity{active};
}

Activity pool_activity(virConnectPtr connection, const std::string& name) {
    const PoolPtr pool{virStoragePoolLookupByName(connection, name.c_str())};
    return activity(pool ? virStoragePoolIsActive(pool.get()) : -1);
}

Activity network_activity(virConnectPtr connection, const std::string& name) {
    const NetworkPtr network{virNetworkLookupByName(connection, name.c_str())};
    return activity(network ? virNetworkIsActive(network.get()) : -1);
}

std::string words(const Activity& seen, NeedKind kind, const std::string& name) {
    const std::string what = (kind == NeedKind::pool ? "pool '" : "network '") + name + "'";
    if (seen.active == 0) {
        return what + " is not active";
    }
    const auto& fault = seen.fault;
    const bool none = fault.code == VIR_ERR_NO_STORAGE_POOL || fault.code == VIR_ERR_NO_NETWORK;
    return none ? "no " + what : what + ": " + fault.message;
}

}  // namespace

/// A reader's connection, with the events that come in on it.
class NeedMonitor::Line {
public:
    Line(const UriContext& context, NeedKind kind, NeedEvents::Callback callback)
        : uri_(context.uri), kind_(kind), callback_(std::move(callback)) {}

    /// Empty while libvirt is away. Blocks.
    std::optional<WatchChanged> read(WatchId id, const std::string& name) {
        if (!open()) {
            return std::nullopt;
        }
        const auto seen = kind_ == NeedKind::pool ? pool_activity(handle_.get(), name)
                                                  : network_activity(handle_.get(), name);
        if (seen.active == 1) {
            return WatchChanged{.id = id, .holds = true};
        }
        auto text = words(seen, kind_, name);
        return is_dead(handle_.get()) ? std::nullopt
                                      : std::optional{WatchChanged{id, false, std::move(text)}};
    }

private:
    bool open() {
        if (handle_ && !is_dead(handle_.get())) {
            return true;
        }
        events_.reset();
        handle_.reset();
        auto opened = connect(uri_);
        if (!opened) {
            return false;
        }
        handle_ = std::move(*opened);
        keep_alive(handle_.get());
        events_.emplace(handle_.get(), kind_, callback_);
        return true;
    }

    const std::string uri_;
    const NeedKind kind_;
    const NeedEvents::Callback callback_;
    ConnectPtr handle_;
    std::optional<NeedEvents> events_;
};

void NeedMonitor::watch(WatchId id, const std::string& name) {
    const std::lock_guard lock{mutex_};
    items_[id] = {.name = name};
    hire();
    changed_.notify_all();
}

void NeedMonitor::unwatch(WatchId id) {
    const std::lock_guard lock{mutex_};
    items_.erase(id);
    changed_.notify_all();
}

void NeedMonitor::look(const std::string& name) {
    const std::lock_guard lock{mutex_};
    for (auto& [id, item] : items_) {
        if (name.empty() || item.name == name) {
            item.due = {};
            item.again = item.reading;
        }
    }
    changed_.notify_all();
}

void NeedMonitor::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
}

void NeedMonitor::hire() {
    const auto unread =
        std::ranges::count_if(items_, [](const auto& each) { return !each.second.reading; });
    if (unread == 0 || busy_ < readers_ || readers_ == kReaders || stopping_) {
        return;
    }
    ++readers_;
    if (!context_->threads->spawn("virt-needs", [self = shared_from_this()] { self->run(); })) {
        --readers_;
    }
}

std::optional<WatchId> NeedMonitor::take(std::unique_lock<std::mutex>& lock) {
    while (!stopping_ && !items_.empty()) {
        auto next = items_.end();
        for (auto at = items_.begin(); at != items_.end(); ++at) {
            const bool sooner = next == items_.end() || at->second.due < next->second.due;
            next = !at->second.reading && sooner ? at : next;
        }
        if (next == items_.end()) {
            changed_.wait(lock);
        } else if (next->second.due > Clock::now()) {
            const auto due = next->second.due;  // a copy: its entry may go meanwhile
            changed_.wait_until(lock, due);
        } else {
            next->second.reading = true;
            next->second.again = false;
            ++busy_;
            hire();
            return next->first;
        }
    }
    return std::nullopt;
}

void NeedMonitor::put_back(WatchId id, const std::optional<WatchChanged>& found) {
    --busy_;
    const auto at = items_.find(id);
    if (at == items_.end()) {
        return;
    }
    auto& item = at->second;
    item.reading = false;
    item.due = item.again ? Clock::time_point{} : Clock::now() + context_->need_interval;
    const bool same =
        found && item.told && item.told->holds == found->holds && item.told->text == found->text;
    if (found && !same) {
        item.told = found;
        context_->outlet.post(*found);
    }
    changed_.notify_all();
}

void NeedMonitor::run() {
    {
        Line line{*context_, kind_, [weak = weak_from_this()](const std::string& name) {
                      if (const auto self = weak.lock()) {
                          self->look(name);
                      }
                  }};
        std::unique_lock lock{mutex_};
        while (const auto id = take(lock)) {
            const auto name = items_.at(*id).name;
            lock.unlock();
            const auto found = line.read(*id, name);
            lock.lock();
            put_back(*id, found);
        }
        --readers_;
    }
}

}  // namespace guestd::libvirt
