// SPDX-License-Identifier: LGPL-2.1-or-later
// Arguments of D-Bus methods, by whoever is on the bus. Two ends of one socket: a caller made of
// the fuzzer's bytes, and the daemon's bus code with a facade that agrees to everything. Each call
// gets exactly one answer; commands go through the same question "who asks?" as on a real bus.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/socket.h>

#include "fuzz.hpp"
#include "systemd/bus_manager.hpp"
#include "systemd/bus_names.hpp"
#include "systemd/bus_objects.hpp"

using namespace guestd;
using fuzz::require;

namespace {

class AgreeableFacade : public bus::Facade {
public:
    bus::StatusView status() const override {
        return {.version = "1", .active_run = {bus::RunView{}}};
    }
    std::optional<bus::ProgressView> progress() const override { return bus::ProgressView{}; }
    std::vector<bus::GuestView> guests(const std::vector<std::string>& globs) const override {
        std::vector<bus::GuestView> found{{.uri = "test:///a", .uuid = {}, .name = "db"}};
        for (const auto& glob : globs)
            found.push_back({.uri = glob, .uuid = {}, .name = glob});
        return found;
    }
    std::vector<bus::UriView> uris() const override { return {{.uri = "test:///a"}}; }
    std::vector<ResumeEntry> resume_list() const override { return {ResumeEntry{}}; }
    void runs(unsigned limit, bus::Reply<std::vector<bus::RunView>> reply) override {
        require(limit > 0 && limit <= 1000, "a bounded question");
        reply(std::vector<bus::RunView>(1));
    }
    void run_guests(RunId, bus::Reply<std::vector<RunGuestRecord>> reply) override {
        reply(std::vector<RunGuestRecord>(1));
    }
    void run_spans(RunId, bus::Reply<std::vector<SpanRecord>>) override {}  // drops it
    Result<std::vector<bus::SettingView>> explain(const std::string& guest,
                                                  std::optional<Trigger>) const override {
        return std::vector<bus::SettingView>{{.key = guest, .value = guest, .origin = guest}};
    }
    Result<RunId> boot(const bus::BootRequest&) override { return RunId{7}; }
    Result<RunId> drain(const bus::DrainRequest& request) override {
        require(!request.deadline || *request.deadline > Duration::zero(), "a deadline to come");
        require(request.trigger != Trigger::host_boot, "a reason for a drain");
        return RunId{8};
    }
    Result<bool> cancel(RunId run) override { return run != 0; }
    Result<bool> remember(const std::string&, const Uuid&) override { return true; }
    Result<bool> forget(const std::string&, const Uuid&) override { return true; }
    Result<void> reload() override { return {}; }
};

using Connection = std::unique_ptr<sd_bus, bus::Unref<sd_bus_close_unref>>;

/// "Who asks?" is answered by the bus, of which there is none: root.
int say_root(sd_bus_message* message, void*, sd_bus_error*) noexcept {
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "GetConnectionUnixUser") <=
        0)
        return 0;
    sd_bus_message* reply = nullptr;
    const std::uint32_t root = 0;
    require(sd_bus_message_new_method_return(message, &reply) >= 0 &&
                sd_bus_message_append_basic(reply, 'u', &root) >= 0 &&
                sd_bus_send(nullptr, reply, nullptr) >= 0,
            "the harness answers");
    sd_bus_message_unref(reply);
    return 1;
}

Connection connection_on(int fd, bool server) {
    sd_bus* made = nullptr;
    require(sd_bus_new(&made) >= 0, "a connection");
    Connection connection{made};
    require(sd_bus_set_fd(made, fd, fd) >= 0 && sd_bus_set_anonymous(made, 1) >= 0 &&
                (!server ||
                 sd_bus_set_server(
                     made, 1, SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 10)) >= 0),
            "its settings");
    return connection;
}

/// Both ends, for the life of the process: making them takes longer than a thousand calls.
struct Ends {
    AgreeableFacade facade;
    bus::Manager manager{facade, {}};
    bus::Objects objects{facade};
    Connection server;
    Connection client;

    Ends() {
        int pair[2];
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0,
                "a socket");
        server = connection_on(pair[0], true);
        client = connection_on(pair[1], false);
        require(sd_bus_add_object_vtable(server.get(), nullptr, bus::kPath, bus::kManager,
                                         bus::kManagerVtable, &manager) >= 0 &&
                    sd_bus_add_filter(client.get(), nullptr, say_root, nullptr) >= 0 &&
                    sd_bus_start(server.get()) >= 0 && sd_bus_start(client.get()) >= 0,
                "both ends are up");
        objects.offer(server.get());
    }
};

/// One value of a random type, not always one that options have.
void append_value(sd_bus_message* into, FuzzedDataProvider& from) {
    const char type = from.PickValueInArray({'s', 'b', 'u', 't', 'i', 'd', 'o', 'a'});
    const std::string text = from.ConsumeRandomLengthString(40);
    const char contents[] = {type, type == 'a' ? 's' : '\0', '\0'};
    const std::uint64_t number = from.ConsumeIntegral<std::uint64_t>();
    const int flag = static_cast<int>(number & 1);
    if (sd_bus_message_open_container(into, 'v', contents) < 0)
        return;
    if (type == 'a') {
        if (sd_bus_message_open_container(into, 'a', "s") >= 0) {
            sd_bus_message_append_basic(into, 's', text.c_str());
            sd_bus_message_close_container(into);
        }
    } else if (type == 's' || type == 'o') {
        sd_bus_message_append_basic(into, type, text.c_str());
    } else if (type == 'b') {
        sd_bus_message_append_basic(into, type, &flag);
    } else {
        sd_bus_message_append_basic(into, type, &number);
    }
    sd_bus_message_close_container(into);
}

void append_options(sd_bus_message* into, FuzzedDataProvider& from) {
    if (sd_bus_message_open_container(into, 'a', "{sv}") < 0)
        return;
    for (auto left = from.ConsumeIntegralInRange(0, 5); left > 0; --left) {
        const std::string any = from.ConsumeRandomLengthString(20);
        const char* const key =
            from.PickValueInArray({"trigger", "deadline_usec", "skip", "", any.c_str()});
        if (sd_bus_message_open_container(into, 'e', "sv") < 0)
            return;
        sd_bus_message_append_basic(into, 's', key);
        append_value(into, from);
        if (sd_bus_message_close_container(into) < 0)
            return;
    }
    sd_bus_message_close_container(into);
}

void append_strings(sd_bus_message* into, FuzzedDataProvider& from) {
    if (sd_bus_message_open_container(into, 'a', "s") < 0)
        return;
    for (auto left = from.ConsumeIntegralInRange(0, 5); left > 0; --left)
        sd_bus_message_append_basic(into, 's', from.ConsumeRandomLengthString(40).c_str());
    sd_bus_message_close_container(into);
}

void append_body(sd_bus_message* into, std::string_view signature, FuzzedDataProvider& from) {
    const auto number = from.ConsumeIntegral<std::uint32_t>();
    if (signature.starts_with("as"))
        append_strings(into, from);
    if (signature == "asa{sv}")
        append_options(into, from);
    if (signature == "u")
        sd_bus_message_append_basic(into, 'u', &number);
    if (signature == "ss") {
        for (int i = 0; i < 2; ++i)
            sd_bus_message_append_basic(into, 's', from.ConsumeRandomLengthString(60).c_str());
    }
}

struct Method {
    const char* name;
    const char* signature;
};
constexpr Method kMethods[] = {{"Status", ""},         {"ListGuests", "as"}, {"ListUris", ""},
                               {"ListResumeList", ""}, {"ListRuns", "u"},    {"RunGuests", "u"},
                               {"RunSpans", "u"},      {"Explain", "ss"},    {"Boot", "asa{sv}"},
                               {"Drain", "asa{sv}"},   {"Cancel", "u"},      {"Forget", "ss"},
                               {"Reload", ""}};

bus::Message call_of(sd_bus* client, FuzzedDataProvider& from) {
    sd_bus_message* made = nullptr;
    if (from.ConsumeBool()) {
        // An object of which nobody knows whether it is there.
        const std::string path = (from.ConsumeBool() ? bus::kGuestsPath : bus::kRunsPath) +
                                 ("/" + from.ConsumeRandomLengthString(60));
        if (sd_bus_message_new_method_call(client, &made, nullptr, path.c_str(),
                                           "org.freedesktop.DBus.Properties", "GetAll") < 0)
            return nullptr;
        sd_bus_message_append_basic(made, 's', from.ConsumeBool() ? bus::kGuest : bus::kRun);
        return bus::Message{made};
    }
    const Method method = from.PickValueInArray(kMethods);
    const char* const body = from.ConsumeProbability<float>() < 0.9F
                                 ? method.signature
                                 : from.PickValueInArray(kMethods).signature;
    require(sd_bus_message_new_method_call(client, &made, nullptr, bus::kPath, bus::kManager,
                                           method.name) >= 0,
            "a call");
    append_body(made, body, from);
    return bus::Message{made};
}

int count_answer(sd_bus_message*, void* answers, sd_bus_error*) noexcept {
    ++*static_cast<int*>(answers);
    return 1;
}

void drive(sd_bus* bus) {
    int result = 0;
    while ((result = sd_bus_process(bus, nullptr)) > 0) {
    }
    require(result == 0, "the connection is well");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Ends ends;
    FuzzedDataProvider from{data, size};
    const bus::Message call = call_of(ends.client.get(), from);
    int answers = 0;
    sd_bus_slot* slot = nullptr;
    // Half-written text is refused by sd-bus itself.
    if (!call || sd_bus_call_async(ends.client.get(), &slot, call.get(), count_answer, &answers,
                                   UINT64_MAX) < 0)
        return 0;
    // The socket is in memory: a turn of each end is at once, and nothing needs more than four.
    for (int turn = 0; turn < 16 && answers == 0; ++turn) {
        drive(ends.client.get());
        drive(ends.server.get());
    }
    drive(ends.client.get());
    require(answers == 1, "one answer to each call");
    sd_bus_slot_unref(slot);
    return 0;
}
