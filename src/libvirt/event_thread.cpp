// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/event_thread.hpp"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <signal.h>

namespace guestd::libvirt {

EventThread& EventThread::instance() {
    static EventThread thread;
    return thread;
}

EventThread::EventThread() {
    virEventRegisterDefaultImpl();
    // A timer that never fires by itself: setting it to zero wakes the loop, and its callback
    // need do nothing.
    wake_timer_ = virEventAddTimeout(
        -1, [](int timer, void*) noexcept { virEventUpdateTimeout(timer, -1); }, nullptr, nullptr);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread{[this] { run(); }};
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

EventThread::~EventThread() {
    stopping_ = true;
    virEventUpdateTimeout(wake_timer_, 0);
    thread_.join();
}

void EventThread::run() noexcept {
    pthread_setname_np(pthread_self(), "virt-events");
    while (!stopping_) {
        // Fails only when poll() does, for want of kernel memory: try again.
        if (virEventRunDefaultImpl() < 0) {
            std::this_thread::yield();
        }
    }
}

}  // namespace guestd::libvirt
