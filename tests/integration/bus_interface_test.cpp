// SPDX-License-Identifier: LGPL-2.1-or-later

/// org.guestd1 as a program meets it: what it offers, what it refuses, how it comes back.

#include <systemd/sd-bus.h>

#include <map>
#include <pugixml.hpp>
#include <set>

#include "bus_client.hpp"
#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

/// "method Drain in as globs in a{sv} options out u run" for every member of our interface.
std::set<std::string> members_of(const pugi::xml_document& document) {
    std::set<std::string> members;
    const auto interface =
        document.child("node").find_child_by_attribute("interface", "name", kManager);
    for (const auto& member : interface.children()) {
        if (member.type() != pugi::node_element)
            continue;
        std::string text = std::string{member.name()} + " " + member.attribute("name").value() +
                           " " + member.attribute("type").value() +
                           member.attribute("access").value();
        for (const auto& argument : member.children("arg"))
            text += std::string{" "} + argument.attribute("direction").value() + " " +
                    argument.attribute("type").value() + " " + argument.attribute("name").value();
        members.insert(text);
    }
    return members;
}

using BusInterface = BusTest;

TEST_F(BusInterface, IsWhatItsDocumentSays) {
    const auto path = std::filesystem::path{__FILE__}.parent_path() / "../../docs/org.guestd1.xml";
    pugi::xml_document documented;
    ASSERT_TRUE(documented.load_file(path.c_str())) << path;
    const Connection bus_connection = connect();
    const Answer answer = call(
        bus_connection.get(), "Introspect", [](sd_bus_message*) {},
        "org.freedesktop.DBus.Introspectable");
    ASSERT_EQ(answer.error, "") << answer.text;
    pugi::xml_document live;
    ASSERT_TRUE(live.load_string(long_text(answer.message.get()).c_str()));
    EXPECT_EQ(members_of(live), members_of(documented));
    EXPECT_GT(members_of(live).size(), 15U);
}

TEST_F(BusInterface, RefusesOptionsThatMakeNoSense) {
    const Connection bus_connection = connect();
    const auto drain_with = [&](const std::function<void(Dict&)>& options) {
        return call(bus_connection.get(), "Drain", [&](sd_bus_message* into) {
            { const Container none{into, 'a', "s"}; }
            Dict dict{into};
            options(dict);
        });
    };
    const std::pair<std::function<void(Dict&)>, const char*> cases[] = {
        {[](Dict& dict) { dict.text("trigger", "sunrise"); }, "sunrise"},
        {[](Dict& dict) { dict.text("trigger", "host-boot"); }, "host-boot"},
        {[](Dict& dict) { dict.text("tigger", "ups"); }, "unknown option 'tigger'"},
        {[](Dict& dict) { dict.flag("trigger", true); }, "wrong type"},
        {[](Dict& dict) { dict.texts("trigger", {"ups"}); }, "type"},
        {[](Dict& dict) { dict.number("deadline_usec", 0); }, "deadline"},
        {[](Dict& dict) { dict.number("deadline_usec", ~0ULL); }, "deadline"},
    };
    for (const auto& [options, text] : cases) {
        const Answer answer = drain_with(options);
        EXPECT_EQ(answer.error, kErrorInvalid) << text;
        EXPECT_THAT(answer.text, testing::HasSubstr(text));
    }
    settle();
    EXPECT_TRUE(facade.drains.empty());
    EXPECT_EQ(drain_with([](Dict& dict) { dict.text("trigger", "ups"); }).error, "");
    settle();
    EXPECT_EQ(facade.drains.size(), 1U);
}

TEST_F(BusInterface, NamesErrorsAfterTheirKind) {
    const std::pair<ErrorCode, const char*> cases[] = {
        {ErrorCode::invalid, kErrorInvalid}, {ErrorCode::unavailable, kErrorUnavailable},
        {ErrorCode::io, kErrorIo},           {ErrorCode::corrupt, kErrorCorrupt},
        {ErrorCode::refused, kErrorRefused}, {ErrorCode::internal, kErrorInternal},
    };
    const Connection bus_connection = connect();
    for (const auto& [code, name] : cases) {
        guestd->on_loop([&, code = code](Server&) { facade.error = Error{code, "because \xff"}; });
        const Answer answer = call(bus_connection.get(), "Reload", [](sd_bus_message*) {});
        EXPECT_EQ(answer.error, name);
        EXPECT_EQ(answer.text, "because \\xff");
    }
}

TEST_F(BusInterface, AnswersEvenWhenTheDaemonForgetsTo) {
    guestd->on_loop([&](Server&) { facade.drop_replies = true; });
    const Connection bus_connection = connect();
    const Answer answer = call(bus_connection.get(), "ListRuns",
                               [](sd_bus_message* into) { append(into, std::uint32_t{0}); });
    EXPECT_EQ(answer.error, kErrorInternal);
}

TEST_F(BusInterface, TellsWhoWatchesTheProperties) {
    const Connection bus_connection = connect();
    std::string changed;
    const auto on_changed = [](sd_bus_message* message, void* userdata, sd_bus_error*) {
        sd_bus_message_skip(message, "s");
        auto& into = *static_cast<std::string*>(userdata);
        for (const auto& [key, value] : read_options(message))
            into += key +
                    (std::holds_alternative<std::string>(value)
                         ? "=" + std::get<std::string>(value)
                         : "=" + std::to_string(std::get<std::uint64_t>(value))) +
                    ";";
        return 0;
    };
    ASSERT_GE(sd_bus_match_signal(bus_connection.get(), nullptr, kService, kPath,
                                  "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                  on_changed, &changed),
              0);
    guestd->on_loop([&](Server& server) {
        server.status_changed();  // nothing has: no signal
        facade.status_view.degraded = "no disk";
        facade.status_view.active_run = RunView{.record = {.id = 4}};
        server.status_changed();
    });
    process_until(bus_connection.get(), [&] { return !changed.empty(); });
    EXPECT_EQ(changed, "ActiveRun=4;Degraded=no disk;");
}

/// "GuestsChanged 4: db save, web done" of each signal of the Manager.
int on_manager(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    std::string line = sd_bus_message_get_member(message);
    line += " " + std::to_string(read_u32(message));
    if (line.starts_with("GuestsChanged")) {
        sd_bus_message_enter_container(message, 'a', "(ssssss)");
        const char *uri, *uuid, *name, *what, *outcome, *text;
        while (sd_bus_message_read(message, "(ssssss)", &uri, &uuid, &name, &what, &outcome,
                                   &text) > 0)
            line += std::string{" "} + name + ":" + what + ":" + outcome + ":" + text;
    }
    static_cast<std::vector<std::string>*>(userdata)->push_back(line);
    return 0;
}

TEST_F(BusInterface, TellsWhatHappensWithManyGuestsTogether) {
    const Connection bus_connection = connect();
    std::vector<std::string> heard;
    ASSERT_GE(sd_bus_match_signal(bus_connection.get(), nullptr, kService, kPath, kManager, nullptr,
                                  on_manager, &heard),
              0);
    guestd->on_loop([&](Server& server) {
        server.run_started(4, RunKind::drain, Trigger::ups);
        server.guest_changed(step(4, 1, "db", "save"), "test:///a");
        server.guest_changed(step(4, 2, "web", "save"), "test:///a");
        server.guest_changed(done(4, 1, "db", Outcome::saved, "x"), "test:///a");
        server.run_ended(4, true);  // nothing of it comes afterwards
        server.guest_changed(done(5, 1, "db", Outcome::failed), "test:///a");
        server.guest_changed(done(6, 1, "db", Outcome::started), "test:///a");
    });
    process_until(bus_connection.get(), [&] { return heard.size() >= 5; });
    EXPECT_THAT(heard, testing::ElementsAre(
                           "RunStarted 4", "GuestsChanged 4 db:save:: web:save:: db:done:saved:x",
                           "RunEnded 4",
                           "GuestsChanged 5 db:done:failed:", "GuestsChanged 6 db:done:started:"));
}

TEST_F(BusInterface, HearsLogindAndNobodyElseAnnounceAShutdown) {
    const Connection logind = connect();
    const Connection other = connect();
    ASSERT_GE(sd_bus_request_name(logind.get(), "org.freedesktop.login1", 0), 0);
    const auto announce = [](sd_bus* from, int down, const char* key, const char* way,
                             const char* to = nullptr) {
        sd_bus_message* raw = nullptr;
        ASSERT_GE(sd_bus_message_new_signal(from, &raw, "/org/freedesktop/login1",
                                            "org.freedesktop.login1.Manager",
                                            "PrepareForShutdownWithMetadata"),
                  0);
        const Message signal{raw};
        ASSERT_GE(sd_bus_message_append(raw, "ba{sv}", down, 1, key, "s", way), 0);
        ASSERT_GE(sd_bus_send_to(from, raw, to, nullptr), 0);
        // The bus keeps the order of each sender: what comes back was sent afterwards.
        call(from, "ListRuns", [](sd_bus_message* into) { append(into, std::uint32_t{0}); });
    };
    const auto heard = [this](std::size_t count) {
        for (std::size_t now = 0; now < count;) {
            std::this_thread::yield();
            guestd->on_loop([&](Server&) { now = facade.prepared.size(); });
        }
    };
    announce(other.get(), 1, "type", "halt");
    announce(other.get(), 1, "type", "halt", kService);
    announce(logind.get(), 1, "type", "poweroff");
    heard(1);  // once the bus has said that there is no systemd to ask who waits for guests
    announce(logind.get(), 1, "else", "reboot");
    announce(logind.get(), 0, "type", "poweroff");
    heard(2);
    guestd->on_loop([&](Server&) {
        EXPECT_THAT(facade.prepared, testing::ElementsAre("down: poweroff", "up: poweroff"));
    });
}

TEST_F(BusInterface, ComesBackAfterTheBusWasRestarted) {
    bus.stop();
    guestd->wait_for_remark("the bus went away");
    guestd->on_loop([](Server& server) {
        EXPECT_FALSE(server.connected());
        server.run_ended(1, true);  // nobody hears it, and nothing breaks
        server.progress_changed();
        server.status_changed();
    });
    bus.start();
    guestd->wait_for_remark("connected to the bus");
    EXPECT_EQ(json_of({"status"})["version"], "1.2.3");
}

}  // namespace
}  // namespace guestd::bus::test
