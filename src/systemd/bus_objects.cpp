// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_objects.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

constexpr const char* interface_of(const GuestView&) {
    return kGuest;
}
constexpr const char* interface_of(const RunView&) {
    return kRun;
}

std::string encoded(const std::string& text) {
    char* path = nullptr;
    check(sd_bus_path_encode("/", text.c_str(), &path), "name an object");
    const std::string with_slash{path};
    std::free(path);
    return with_slash.substr(1);
}

/// For sd-bus, which frees it. Null when there is no memory.
char** names_of(const std::vector<const std::string*>& paths) {
    auto** const names = static_cast<char**>(std::calloc(paths.size() + 1, sizeof(char*)));
    if (names == nullptr)
        return nullptr;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        names[i] = strdup(paths[i]->c_str());
        if (names[i] != nullptr)
            continue;
        while (i-- > 0)
            std::free(names[i]);
        std::free(names);
        return nullptr;
    }
    return names;
}

}  // namespace

std::string guest_path(const std::string& uri, const Uuid& uuid) {
    std::string id = uuid.str();
    std::ranges::replace(id, '-', '_');
    return std::string{kGuestsPath} + "/" + encoded(uri) + "/" + id;
}

std::string run_path(RunId run) {
    return std::string{kRunsPath} + "/" + std::to_string(run);
}

Objects::Snapshot Objects::take() const {
    Snapshot snapshot;
    for (auto& guest : facade_.guests({})) {
        auto path = guest_path(guest.uri, guest.uuid);
        snapshot.guests.emplace(std::move(path), std::move(guest));
    }
    auto status = facade_.status();
    for (auto* const run : {&status.active_run, &status.last_run})
        if (*run)
            snapshot.runs.emplace(run_path((*run)->record.id), std::move(**run));
    return snapshot;
}

const Objects::Snapshot& Objects::current() {
    if (std::exchange(stale_, false))
        current_ = take();
    return current_;
}

template <auto Member>
int Objects::find(sd_bus*, const char* path, const char*, void* userdata, void** found,
                  sd_bus_error*) noexcept {
    try {
        auto& self = *static_cast<Objects*>(userdata);
        const auto& objects = self.current().*Member;
        const auto at = objects.find(path);
        if (at == objects.end())
            return 0;
        // Only ever read.
        *found = const_cast<void*>(static_cast<const void*>(&at->second));
        return 1;
    } catch (...) {
        return -ENOMEM;
    }
}

template <auto Member>
int Objects::list(sd_bus*, const char*, void* userdata, char*** nodes, sd_bus_error*) noexcept {
    try {
        std::vector<const std::string*> paths;
        for (const auto& [path, view] : static_cast<Objects*>(userdata)->current().*Member)
            paths.push_back(&path);
        *nodes = names_of(paths);
        return *nodes == nullptr ? -ENOMEM : 0;
    } catch (...) {
        return -ENOMEM;
    }
}

void Objects::offer(sd_bus* bus) {
    const auto keep = [&](int result, sd_bus_slot* slot) {
        check(result, "offer the objects");
        slots_.emplace_back(slot);
    };
    const auto offer_kind = [&](const char* path, const char* interface,
                                const sd_bus_vtable* vtable, sd_bus_object_find_t finder,
                                sd_bus_node_enumerator_t lister) {
        sd_bus_slot* slot = nullptr;
        int result = sd_bus_add_fallback_vtable(bus, &slot, path, interface, vtable, finder, this);
        keep(result, slot);
        result = sd_bus_add_node_enumerator(bus, &slot, path, lister, this);
        keep(result, slot);
    };
    offer_kind(kGuestsPath, kGuest, kGuestVtable, find<&Snapshot::guests>, list<&Snapshot::guests>);
    offer_kind(kRunsPath, kRun, kRunVtable, find<&Snapshot::runs>, list<&Snapshot::runs>);
    sd_bus_slot* slot = nullptr;
    const int result = sd_bus_add_object_manager(bus, &slot, kPath);
    keep(result, slot);
    bus_ = bus;
    stale_ = true;
    announced_ = current();
}

void Objects::withdraw() noexcept {
    bus_ = nullptr;
    slots_.clear();
}

template <class View>
void Objects::announce(const ByPath<View>& before, const ByPath<View>& after) {
    char* interfaces[] = {const_cast<char*>(interface_of(View{})), nullptr};
    for (const auto& [path, view] : before)
        if (!after.contains(path))
            check(sd_bus_emit_interfaces_removed_strv(bus_, path.c_str(), interfaces), "signal");
    for (const auto& [path, view] : after) {
        const auto old = before.find(path);
        if (old == before.end()) {
            check(sd_bus_emit_interfaces_added_strv(bus_, path.c_str(), interfaces), "signal");
            continue;
        }
        const auto names = changed_properties(old->second, view);
        if (names.empty())
            continue;
        std::vector<char*> words;
        words.reserve(names.size() + 1);
        for (const char* const name : names)
            words.push_back(const_cast<char*>(name));
        words.push_back(nullptr);
        check(sd_bus_emit_properties_changed_strv(bus_, path.c_str(), interfaces[0], words.data()),
              "signal");
    }
}

void Objects::announce() {
    if (bus_ == nullptr)
        return;
    const Snapshot& now = current();
    // Taken out first: what cannot be sent is not tried again for ever.
    const Snapshot before = std::exchange(announced_, now);
    announce(before.guests, now.guests);
    announce(before.runs, now.runs);
}

}  // namespace guestd::bus
