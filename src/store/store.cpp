// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/store.hpp"

#include <pthread.h>

#include <csignal>
#include <thread>

#include "store/opening.hpp"
#include "store/writer.hpp"

namespace guestd::store {

Result<Opened> Store::open(const std::filesystem::path& dir, const std::string& boot_id,
                           EventSink sink) {
    try {
        Opening opening = open_state(dir, boot_id);
        auto writer = std::make_shared<Writer>(std::move(opening.db), std::move(opening.reopen),
                                               std::move(opening.why_not), std::move(sink));
        std::unique_ptr<Store> store{new Store{writer, std::move(opening.config)}};
        return Opened{std::move(store), std::move(opening.restored), std::move(opening.remarks)};
    } catch (const std::exception& error) {
        return fail(ErrorCode::internal, std::string{"opening the state: "} + error.what());
    }
}

Store::Store(std::shared_ptr<Writer> writer, std::optional<std::string> config)
    : writer_(std::move(writer)), config_(std::move(config)) {
    // Detached from birth: nobody joins a thread that a disk may hold for ever; `finish` waits for
    // its end, within bounds. Signals are the loop's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread{[own = writer_] {
            pthread_setname_np(pthread_self(), "store");
            own->work();
        }}.detach();
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Store::~Store() {
    writer_->finish();
}

void Store::write(const StoreRun& command) {
    writer_->push(command);
}
void Store::write(const StoreEntries& command) {
    writer_->push(command);
}
void Store::write(const DropEntry& command) {
    writer_->push(command);
}
void Store::write(const StoreGuest& command) {
    writer_->push(command);
}
void Store::write(const StoreSpan& command) {
    writer_->push(command);
}
void Store::write(const StoreLearned& command) {
    writer_->push(command);
}
void Store::write(const StoreRunEnd& command) {
    writer_->push(command);
}

void Store::write_config(std::string text) {
    config_ = text;
    writer_->push(KeepConfig{std::move(text)});
}

}  // namespace guestd::store
