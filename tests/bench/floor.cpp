// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The floor of a benchmark: what libvirt itself needs for the same calls on the same guests.
//
// All calls are issued at once, over as many connections and threads as libvirt's workers serve.
// Nothing is decided, stored, logged or retried. It ends when libvirt says that the last guest has
// stopped, or when the last call has returned.
//
//   floor shutdown|save|start|destroy CONNECTIONS REQUESTS URI…
//       asks all guests that run (start: that do not); prints one line of JSON
//   floor watch GUESTS URI…
//       prints "watching", and after so many STOPPED events when the last one was
//   floor keep URI…
//       prints "keeping", and holds connections: the test driver forgets its guests without one

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "floor: %s\n", what.c_str());
    // Other threads may hang in libvirt.
    std::_Exit(1);
}

double milliseconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

virConnectPtr connect(const std::string& uri) {
    virConnectPtr connection = virConnectOpen(uri.c_str());
    if (connection == nullptr) {
        fail("cannot connect to " + uri);
    }
    return connection;
}

/// STOPPED events of all connections; the event thread counts, the main thread waits.
class Stops {
public:
    void watch(virConnectPtr connection) {
        if (virConnectDomainEventRegisterAny(connection, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                             VIR_DOMAIN_EVENT_CALLBACK(heard), this, nullptr) < 0) {
            fail("no events");
        }
    }
    /// Blocks until there have been so many. Returns when the last one came.
    Clock::time_point wait(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return count_ >= count; });
        return last_;
    }

private:
    static int heard(virConnectPtr, virDomainPtr, int event, int, void* opaque) noexcept {
        if (event == VIR_DOMAIN_EVENT_STOPPED) {
            auto& self = *static_cast<Stops*>(opaque);
            const std::lock_guard lock{self.mutex_};
            ++self.count_;
            self.last_ = Clock::now();
            self.changed_.notify_one();
        }
        return 0;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
    Clock::time_point last_;
};

using Request = int (*)(virDomainPtr);

struct Verb {
    const char* name;
    unsigned guests;  ///< which ones: flags of virConnectListAllDomains
    bool stops;       ///< over when the guests have stopped, not when the calls have returned
    Request request;
};

constexpr std::array kVerbs{
    Verb{"shutdown", VIR_CONNECT_LIST_DOMAINS_ACTIVE, true, virDomainShutdown},
    Verb{"save", VIR_CONNECT_LIST_DOMAINS_ACTIVE, true,
         [](virDomainPtr domain) { return virDomainManagedSave(domain, 0); }},
    Verb{"start", VIR_CONNECT_LIST_DOMAINS_INACTIVE, false, virDomainCreate},
    Verb{"destroy", VIR_CONNECT_LIST_DOMAINS_ACTIVE, true, virDomainDestroy},
};

std::string uuid_of(virDomainPtr domain) {
    char uuid[VIR_UUID_STRING_BUFLEN];
    if (virDomainGetUUIDString(domain, uuid) < 0) {
        fail("a guest without UUID");
    }
    return uuid;
}

/// The guests of one connection, in the same order for each.
std::vector<virDomainPtr> list(virConnectPtr connection, const Verb& verb) {
    virDomainPtr* domains = nullptr;
    const int count = virConnectListAllDomains(connection, &domains, verb.guests);
    if (count < 0) {
        fail("no list");
    }
    std::vector<virDomainPtr> guests{domains, domains + count};
    std::free(domains);
    std::sort(guests.begin(), guests.end(),
              [](virDomainPtr a, virDomainPtr b) { return uuid_of(a) < uuid_of(b); });
    return guests;
}

/// One URI: its connections, each with handles of all guests, and who is next.
struct Server {
    std::vector<std::vector<virDomainPtr>> guests;  ///< by connection
    std::atomic<std::size_t> next{0};
};

void open_all(Server& server, const std::string& uri, const Verb& verb, unsigned connections,
              Stops& stops) {
    server.guests.resize(connections);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < connections; ++i) {
        threads.emplace_back([&, i] {
            virConnectPtr connection = connect(uri);
            if (i == 0 && verb.stops) {
                stops.watch(connection);
            }
            server.guests[i] = list(connection, verb);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

int act(const Verb& verb, unsigned connections, unsigned requests,
        const std::vector<std::string>& uris) {
    const auto begun = Clock::now();
    Stops stops;
    std::vector<Server> servers(uris.size());
    std::vector<std::thread> openers;
    for (std::size_t i = 0; i < uris.size(); ++i) {
        openers.emplace_back([&, i] { open_all(servers[i], uris[i], verb, connections, stops); });
    }
    for (auto& opener : openers) {
        opener.join();
    }
    const auto opened = Clock::now();
    std::atomic<std::size_t> failed{0};
    std::vector<std::thread> threads;
    std::size_t count = 0;
    for (auto& server : servers) {
        count += server.guests.front().size();
        for (unsigned i = 0; i < connections * requests; ++i) {
            threads.emplace_back([&, i] {
                const auto& guests = server.guests[i % connections];
                for (auto at = server.next++; at < guests.size(); at = server.next++) {
                    failed += verb.request(guests[at]) < 0 ? 1 : 0;
                }
            });
        }
    }
    for (auto& thread : threads) {
        thread.join();
    }
    auto ended = Clock::now();
    if (verb.stops && failed == 0) {
        ended = std::max(ended, stops.wait(count));
    }
    std::printf("{\"guests\": %zu, \"failed\": %zu, \"opened_ms\": %.3f, \"ended_ms\": %.3f}\n",
                count, failed.load(), milliseconds(begun, opened), milliseconds(begun, ended));
    std::fflush(stdout);
    // Handles and connections are the kernel's to close: taking leave is no part of the work.
    std::_Exit(failed == 0 ? 0 : 1);
}

int watch(std::size_t count, const std::vector<std::string>& uris) {
    Stops stops;
    for (const auto& uri : uris) {
        stops.watch(connect(uri));
    }
    std::puts("watching");
    std::fflush(stdout);
    const auto last = stops.wait(count).time_since_epoch();
    std::printf("%lld\n", static_cast<long long>(
                              std::chrono::duration_cast<std::chrono::microseconds>(last).count()));
    std::fflush(stdout);
    std::_Exit(0);
}

int keep(const std::vector<std::string>& uris) {
    for (const auto& uri : uris) {
        connect(uri);
    }
    std::puts("keeping");
    std::fflush(stdout);
    for (;;) {
        pause();
    }
}

unsigned number(const char* text) {
    const int value = std::atoi(text);
    if (value < 1) {
        fail(std::string{"not a number: "} + text);
    }
    return static_cast<unsigned>(value);
}

void start_events() {
    if (virEventRegisterDefaultImpl() < 0) {
        fail("no event loop");
    }
    std::thread{[] {
        for (;;) {
            virEventRunDefaultImpl();
        }
    }}.detach();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    virSetErrorFunc(nullptr, [](void*, virErrorPtr error) {
        std::fprintf(stderr, "floor: %s\n", error->message);
    });
    start_events();
    if (verb == "watch" && argc > 3) {
        return watch(number(argv[2]), {argv + 3, argv + argc});
    }
    if (verb == "keep" && argc > 2) {
        return keep({argv + 2, argv + argc});
    }
    for (const auto& known : kVerbs) {
        if (verb == known.name && argc > 4) {
            return act(known, number(argv[2]), number(argv[3]), {argv + 4, argv + argc});
        }
    }
    fail("what? See the top of floor.cpp");
}
