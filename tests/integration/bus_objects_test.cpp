// SPDX-License-Identifier: LGPL-2.1-or-later

/// Guests and runs as objects: what they show, what they tell, and what a thousand of them cost.

#include "systemd/bus_objects.hpp"

#include <pugixml.hpp>
#include <set>

#include "bus_client.hpp"
#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::ElementsAre;

constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kObjectManager = "org.freedesktop.DBus.ObjectManager";
const std::string kDb = "/org/guestd1/guest/test_3a_2f_2f_2fa/00000000_0000_0000_0000_000000000001";

std::string text_of(const Option& value) {
    if (const auto* text = std::get_if<std::string>(&value))
        return *text;
    if (const auto* number = std::get_if<std::uint64_t>(&value))
        return std::to_string(*number);
    return std::get<bool>(value) ? "yes" : "no";
}

/// "State=running", in the order of names.
std::vector<std::string> pairs_of(const Options& options) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : options)
        pairs.push_back(key + "=" + text_of(value));
    return pairs;
}

class BusObjects : public BusTest {
protected:
    std::vector<std::string> properties(const std::string& path, const char* interface) {
        const Answer answer = call(
            program.get(), "GetAll",
            [&](sd_bus_message* into) { append(into, std::string_view{interface}); }, kProperties,
            path.c_str());
        return answer.error.empty() ? pairs_of(read_options(answer.message.get()))
                                    : std::vector{answer.error};
    }
    /// From now on every signal of an object is noted in `heard`, as "path: what".
    void listen() {
        for (const char* interface : {kProperties, kObjectManager})
            ASSERT_GE(sd_bus_match_signal(program.get(), nullptr, kService, nullptr, interface,
                                          nullptr, on_signal, &heard),
                      0);
    }
    static int on_signal(sd_bus_message* message, void* userdata, sd_bus_error*) {
        auto& into = *static_cast<std::vector<std::string>*>(userdata);
        const std::string member = sd_bus_message_get_member(message);
        if (member != "PropertiesChanged") {
            const char* path = nullptr;
            sd_bus_message_read_basic(message, 'o', &path);
            into.push_back(member + " " + path);
            return 0;
        }
        const std::string path = sd_bus_message_get_path(message);
        if (path == kPath)  // the manager's own, tested elsewhere
            return 0;
        sd_bus_message_skip(message, "s");
        for (const auto& pair : pairs_of(read_options(message)))
            into.push_back(path + " " + pair);
        return 0;
    }
    void wait_for(const std::string& last) {
        process_until(program.get(), [&] { return !heard.empty() && heard.back() == last; });
    }

    Connection program = connect();
    std::vector<std::string> heard;
};

/// "property State s read true" of an interface, wherever in the document it is.
std::set<std::string> properties_of(const pugi::xml_document& document, const char* interface) {
    std::set<std::string> found;
    const std::string path = std::string{"//interface[@name='"} + interface + "']/property";
    for (const auto& at : document.select_nodes(path.c_str())) {
        const auto note = at.node().child("annotation").attribute("value");
        found.insert(std::string{at.node().attribute("name").value()} + " " +
                     at.node().attribute("type").value() + " " +
                     at.node().attribute("access").value() + " " + (note ? note.value() : "true"));
    }
    return found;
}

TEST_F(BusObjects, AreWhatTheirDocumentSays) {
    guestd->on_loop([&](Server& server) {
        facade.status_view.active_run = RunView{.record = {.id = 4}};
        server.status_changed();
    });
    pugi::xml_document documented;
    const auto file = std::filesystem::path{__FILE__}.parent_path() / "../../docs/org.guestd1.xml";
    ASSERT_TRUE(documented.load_file(file.c_str()));
    for (const auto& [path, interface] : {std::pair{kDb, kGuest}, std::pair{run_path(4), kRun}}) {
        const Answer answer = call(
            program.get(), "Introspect", [](sd_bus_message*) {},
            "org.freedesktop.DBus.Introspectable", path.c_str());
        pugi::xml_document live;
        ASSERT_TRUE(live.load_string(long_text(answer.message.get()).c_str()));
        EXPECT_EQ(properties_of(live, interface), properties_of(documented, interface));
        EXPECT_GT(properties_of(live, interface).size(), 10U);
    }
}

TEST_F(BusObjects, ShowGuestsAndRuns) {
    guestd->on_loop([&](Server& server) {
        auto& db = facade.guest_views[0];
        db.run = 4;
        db.phase = "save";
        db.bytes_done = Bytes{3};
        db.bytes_total = Bytes{9};
        db.cause = "\xff";
        facade.status_view.active_run = RunView{
            .record = {.id = 4, .kind = RunKind::drain, .trigger = Trigger::ups, .started = at(5s)},
            .guests = 2,
            .done = 1};
        server.status_changed();
    });
    EXPECT_THAT(properties(kDb, kGuest),
                ElementsAre("Autostart=no", "BytesDone=3", "BytesTotal=9", "Cause=\\xff",
                            "HeldFor=", "ManagedSave=no", "Name=db", "Outcome=pending",
                            "Persistent=yes", "Phase=save", "Run=4", "State=running",
                            "Uri=test:///a", "Uuid=00000000-0000-0000-0000-000000000001"));
    EXPECT_THAT(
        properties("/org/guestd1/run/4", kRun),
        ElementsAre("BootId=", "Clean=no", "Deadline=0", "Done=1", "Ended=0", "Guests=2", "Id=4",
                    "Kind=drain", "Started=5000000", "State=active", "Trigger=ups", "Unclean=0"));
    EXPECT_THAT(properties("/org/guestd1/run/5", kRun),
                ElementsAre("org.freedesktop.DBus.Error.UnknownObject"));
    EXPECT_THAT(properties(kDb + "0", kGuest),
                ElementsAre("org.freedesktop.DBus.Error.UnknownObject"));
}

TEST_F(BusObjects, TellWhatChangedAndNothingElse) {
    listen();
    guestd->on_loop([&](Server& server) {
        server.status_changed();  // nothing has
        facade.guest_views[0].state = GuestState::shutting_down;
        facade.guest_views[0].bytes_done = Bytes{7};
        facade.status_view.active_run = RunView{.record = {.id = 4}};
        server.status_changed();
    });
    wait_for("InterfacesAdded /org/guestd1/run/4");
    EXPECT_THAT(heard,
                ElementsAre(kDb + " State=shutting down", "InterfacesAdded /org/guestd1/run/4"));
    heard.clear();
    guestd->on_loop([&](Server& server) {
        facade.guest_views.erase(facade.guest_views.begin() + 1);
        facade.guest_views[0].state = GuestState::shutoff;
        server.status_changed();
    });
    wait_for(kDb + " State=shut off");
    EXPECT_THAT(heard, ElementsAre("InterfacesRemoved "
                                   "/org/guestd1/guest/test_3a_2f_2f_2fa/"
                                   "00000000_0000_0000_0000_000000000002",
                                   kDb + " State=shut off"));
}

TEST_F(BusObjects, AreListedWithOneLookAtTheGuests) {
    constexpr std::uint8_t kMany = 250;
    guestd->on_loop([&](Server& server) {
        facade.guest_views.clear();
        for (const char* uri : {"test:///a", "test:///b", "test:///c", "test:///d"})
            for (std::uint8_t number = 0; number < kMany; ++number)
                facade.guest_views.push_back(
                    {.uri = uri, .uuid = uuid_number(number), .name = std::to_string(number)});
        server.status_changed();
    });
    unsigned before = 0;
    guestd->on_loop([&](Server& server) {
        server.status_changed();
        before = facade.guests_asked;
    });
    const Answer answer = call(
        program.get(), "GetManagedObjects", [](sd_bus_message*) {}, kObjectManager);
    ASSERT_EQ(answer.error, "") << answer.text;
    unsigned objects = 0;
    sd_bus_message_enter_container(answer.message.get(), 'a', "{oa{sa{sv}}}");
    while (sd_bus_message_skip(answer.message.get(), "{oa{sa{sv}}}") > 0)
        ++objects;
    EXPECT_EQ(objects, 4U * kMany);
    settle();
    // One for the list, one for the signals that were due.
    EXPECT_LE(facade.guests_asked, before + 2);
}

TEST_F(BusObjects, ComeBackAfterTheBusWasRestarted) {
    bus.stop();
    guestd->wait_for_remark("the bus went away");
    guestd->on_loop([&](Server& server) {
        facade.guest_views[0].name = "renamed";
        server.status_changed();
    });
    bus.start();
    guestd->wait_for_remark("connected to the bus");
    program = connect();
    EXPECT_THAT(properties(kDb, kGuest), testing::Contains("Name=renamed"));
}

TEST_F(BusObjects, OneProgramCannotLeaveCallsOpenWithoutEnd) {
    guestd->on_loop([&](Server&) { facade.keep_replies = true; });
    constexpr unsigned kCalls = 40;
    unsigned refused = 0;
    for (unsigned number = 0; number < kCalls; ++number)
        ASSERT_GE(sd_bus_call_method_async(
                      program.get(), nullptr, kService, kPath, kManager, "ListRuns",
                      [](sd_bus_message* reply, void* userdata, sd_bus_error*) {
                          const auto* error = sd_bus_message_get_error(reply);
                          *static_cast<unsigned*>(userdata) +=
                              error != nullptr &&
                              std::string_view{error->name} == SD_BUS_ERROR_LIMITS_EXCEEDED;
                          return 0;
                      },
                      &refused, "u", 0),
                  0);
    process_until(program.get(), [&] { return refused == kCalls - kMostOpenCalls; });
    const Connection other = connect();
    guestd->on_loop([&](Server&) { facade.keep_replies = false; });
    EXPECT_EQ(
        call(other.get(), "ListRuns", [](sd_bus_message* into) { append(into, std::uint32_t{0}); })
            .error,
        "");
    guestd->on_loop([&](Server&) { facade.kept_replies.clear(); });
    EXPECT_EQ(call(program.get(), "ListRuns",
                   [](sd_bus_message* into) { append(into, std::uint32_t{0}); })
                  .error,
              "");
}

}  // namespace
}  // namespace guestd::bus::test
