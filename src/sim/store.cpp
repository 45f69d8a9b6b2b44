// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/store.hpp"

namespace guestd::sim {

void Store::write(Write write) {
    if (health == Health::silent)
        return;
    clockwork_.schedule_in(latency, [this, life = life_, write = std::move(write)]() mutable {
        if (life != life_)
            return;
        const bool durable = health == Health::good;
        if (durable)
            std::visit([this](auto& command) { apply(command); }, write);
        const auto id = std::visit(
            [](const auto& command) -> StoreId {
                if constexpr (requires { command.id; })
                    return command.id;
                else
                    return 0;
            },
            write);
        if (id != 0)
            answer(Stored{id, durable, durable ? "" : "no space left on device"});
    });
}

void Store::apply(StoreRun& write) {
    runs[write.run.id] = write.run;
    auto& rows = guests[write.run.id];
    for (auto& row : write.guests)
        rows[{row.uri, row.uuid}] = std::move(row);
    for (auto& entry : write.entries)
        entries[{entry.uri, entry.uuid}] = std::move(entry);
}

void Store::apply(StoreEntries& write) {
    for (auto& entry : write.entries)
        entries[{entry.uri, entry.uuid}] = std::move(entry);
}

void Store::apply(const DropEntry& write) {
    entries.erase({write.uri, write.uuid});
}

void Store::apply(StoreGuest& write) {
    auto& row = write.guest;
    guests[row.run][{row.uri, row.uuid}] = std::move(row);
}

void Store::apply(StoreSpan& write) {
    spans.push_back(std::move(write.span));
}

void Store::apply(const StoreLearned& write) {
    learned[write.key] = write.value;
}

void Store::apply(const StoreRunEnd& write) {
    runs[write.run.id] = write.run;
}

Restored Store::restored(const std::string& boot_id) const {
    Restored found;
    found.learned = learned;
    for (const auto& [key, entry] : entries)
        found.resume_list.push_back(entry);
    for (const auto& [id, run] : runs) {
        found.last_run = id;
        if (run.kind == RunKind::boot && run.boot_id == boot_id &&
            run.trigger == Trigger::host_boot)
            found.boot_run_done = true;
        if (run.state == RunState::active)
            found.unfinished = run;
    }
    for (const auto& [key, entry] : entries)
        found.known_uris.push_back(key.first);
    for (const auto& [id, rows] : guests)
        for (const auto& [key, row] : rows)
            found.known_uris.push_back(key.first);
    if (!found.unfinished)
        return found;
    if (const auto rows = guests.find(found.unfinished->id); rows != guests.end())
        for (const auto& [key, row] : rows->second)
            found.unfinished_guests.push_back(row);
    return found;
}

}  // namespace guestd::sim
