// SPDX-License-Identifier: LGPL-2.1-or-later
// Arguments of D-Bus methods, by whoever is on the bus. Two ends of one socket: a caller made of
// the fuzzer's bytes, and the daemon's bus code with a facade that agrees to everything. Each call
// gets exactly one answer; commands go through the same questions as on a real bus: who asks, and
// what polkit says to that.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/socket.h>

#include "fuzz.hpp"
#include "systemd/bus_manager.hpp"
#include "systemd/bus_names.hpp"
#include "systemd/bus_objects.hpp"

using namespace guestd;
using fuzz::require;

namespace {

/// Of this input: who calls, and what polkit says to that.
struct Host {
    std::uint32_t uid = 0;
    enum class Polkit { yes, no, challenge, absent, nonsense } polkit = Polkit::yes;
    bool polkit_asked = false;
};
Host host;

void require_allowed() {
    require(host.uid == 0 || (host.polkit_asked && host.polkit == Host::Polkit::yes),
            "nobody commands but root and whom polkit allows it");
}

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
    Result<std::vector<bus::MetadataView>> metadata(
        const std::vector<std::string>& globs) const override {
        std::vector<bus::MetadataView> found;
        for (const auto& glob : globs)
            found.push_back({.uri = "test:///a", .uuid = {}, .metadata = glob});
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
    void host_prepares(bool, const std::string&) override {}
    Result<std::vector<bus::SettingView>> explain(const std::string& guest,
                                                  std::optional<Trigger>) const override {
        return std::vector<bus::SettingView>{{.key = guest, .value = guest, .origin = guest}};
    }
    Result<RunId> boot(const bus::BootRequest&) override {
        require_allowed();
        return RunId{7};
    }
    Result<RunId> drain(const bus::DrainRequest& request) override {
        require_allowed();
        require(!request.deadline || *request.deadline > Duration::zero(), "a deadline to come");
        require(request.trigger != Trigger::host_boot, "a reason for a drain");
        return RunId{8};
    }
    Result<bool> cancel(RunId run) override {
        require_allowed();
        return run != 0;
    }
    Result<bool> remember(const std::string& uri, const Uuid&) override {
        require_allowed();
        require(uri.size() <= bus::kMostTextLength, "a bounded text");
        return true;
    }
    Result<bool> forget(const std::string& uri, const Uuid& uuid) override {
        return remember(uri, uuid);
    }
    Result<void> reload() override {
        require_allowed();
        return {};
    }
};

using Connection = std::unique_ptr<sd_bus, bus::Unref<sd_bus_close_unref>>;

/// To what the daemon asks the bus and polkit, of which there are none here.
void reply_to(sd_bus_message* message, const std::function<void(sd_bus_message*)>& write) {
    sd_bus_message* made = nullptr;
    require(sd_bus_message_new_method_return(message, &made) >= 0, "a reply");
    const bus::Message reply{made};
    write(made);
    require(sd_bus_send(nullptr, made, nullptr) >= 0, "the harness answers");
}

void reply_as_polkit(sd_bus_message* message) {
    host.polkit_asked = true;
    require(host.uid != 0, "root is not judged");
    if (host.polkit == Host::Polkit::absent) {
        const sd_bus_error error =
            SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_SERVICE_UNKNOWN, "nobody is there");
        require(sd_bus_reply_method_error(message, &error) >= 0, "the harness answers");
        return;
    }
    reply_to(message, [](sd_bus_message* into) {
        if (host.polkit == Host::Polkit::nonsense)
            return bus::append(into, std::uint32_t{1});
        const bus::Container verdict{into, 'r', "bba{ss}"};
        bus::append(into, host.polkit == Host::Polkit::yes);
        bus::append(into, host.polkit == Host::Polkit::challenge);
        const bus::Container details{into, 'a', "{ss}"};
    });
}

int answer_daemon(sd_bus_message* message, void*, sd_bus_error*) noexcept {
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "GetConnectionUnixUser") > 0)
        reply_to(message, [](sd_bus_message* into) { bus::append(into, host.uid); });
    else if (sd_bus_message_is_method_call(message, "org.freedesktop.PolicyKit1.Authority",
                                           "CheckAuthorization") > 0)
        reply_as_polkit(message);
    else
        return 0;
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
                    sd_bus_add_filter(client.get(), nullptr, answer_daemon, nullptr) >= 0 &&
                    sd_bus_start(server.get()) >= 0 && sd_bus_start(client.get()) >= 0,
                "both ends are up");
        objects.offer(server.get());
    }
};

/// Mostly short; sometimes as long as any limit, for which the input need not be as long.
std::string text_of(FuzzedDataProvider& from, std::size_t most) {
    std::string text = from.ConsumeRandomLengthString(most);
    if (!text.empty() && from.ConsumeProbability<float>() < 0.05F) {
        const std::string once = text;
        const auto times = from.ConsumeIntegralInRange<std::size_t>(1, 2000);
        for (std::size_t number = 1; number < times; ++number)
            text += once;
    }
    return text;
}

int count_of(FuzzedDataProvider& from) {
    return from.ConsumeProbability<float>() < 0.95F ? from.ConsumeIntegralInRange(0, 5)
                                                    : from.ConsumeIntegralInRange(0, 5000);
}

/// One value of a random type, not always one that options have.
void append_value(sd_bus_message* into, FuzzedDataProvider& from) {
    const char type = from.PickValueInArray({'s', 'b', 'u', 't', 'i', 'd', 'o', 'a'});
    const std::string text = text_of(from, 40);
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
    for (auto left = count_of(from); left > 0; --left) {
        const std::string any = text_of(from, 20);
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
    for (auto left = count_of(from); left > 0; --left)
        sd_bus_message_append_basic(into, 's', text_of(from, 40).c_str());
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
            sd_bus_message_append_basic(into, 's',
                                        from.ConsumeBool() ? "00000000-0000-0000-0000-000000000001"
                                                           : text_of(from, 60).c_str());
    }
}

struct Method {
    const char* name;
    const char* signature;
};
constexpr Method kMethods[] = {{"Status", ""},      {"ListGuests", "as"},   {"ListMetadata", "as"},
                               {"ListUris", ""},    {"ListResumeList", ""}, {"ListRuns", "u"},
                               {"RunGuests", "u"},  {"RunSpans", "u"},      {"Explain", "ss"},
                               {"Boot", "asa{sv}"}, {"Drain", "asa{sv}"},   {"Cancel", "u"},
                               {"Remember", "ss"},  {"Forget", "ss"},       {"Reload", ""}};

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
    using Polkit = Host::Polkit;
    host = {from.ConsumeBool() ? 0U : 65534U,
            from.PickValueInArray(
                {Polkit::yes, Polkit::no, Polkit::challenge, Polkit::absent, Polkit::nonsense})};
    const bool interactive = from.ConsumeBool();
    const bus::Message call = call_of(ends.client.get(), from);
    int answers = 0;
    sd_bus_slot* slot = nullptr;
    // Half-written text is refused by sd-bus itself.
    if (!call || sd_bus_message_set_allow_interactive_authorization(call.get(), interactive) < 0 ||
        sd_bus_call_async(ends.client.get(), &slot, call.get(), count_answer, &answers,
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
