// SPDX-License-Identifier: LGPL-2.1-or-later

/// What the bus offers to people who may not command. The interface is asked what it has, so that a
/// method that somebody adds is judged here before anybody thinks of it.

#include <map>
#include <pugixml.hpp>
#include <set>

#include "bus_client.hpp"
#include "bus_fake_polkit.hpp"
#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using Verdict = FakePolkit::Verdict;

constexpr uid_t kNobody = 65534;
constexpr const char* kIntrospectable = "org.freedesktop.DBus.Introspectable";

/// Everybody may read. A new method stands here, or it asks polkit, or the tests below fail.
const std::set<std::string> kReading = {"Status",         "ListGuests", "ListMetadata",
                                        "ListUris",       "ListRuns",   "RunGuests",
                                        "ListResumeList", "RunSpans",   "Explain"};

struct Method {
    std::string path;
    std::string interface;
    std::string name;
    std::string signature;
};

/// Arguments of these types that make sense to every method.
void write_plain(sd_bus_message* into, const std::string& signature) {
    bool first = true;
    for (std::size_t at = 0; at < signature.size(); ++at) {
        const auto rest = std::string_view{signature}.substr(at);
        if (rest.starts_with("as")) {
            const Container none{into, 'a', "s"};
            at += 1;
        } else if (rest.starts_with("a{sv}")) {
            const Dict none{into};
            at += 4;
        } else if (rest.front() == 'u') {
            append(into, std::uint32_t{0});
        } else if (rest.front() == 's') {
            // A guest's URI and UUID, or its name and a trigger.
            append(into, std::string_view{first ? "db" : signature == "ss" ? "" : "db"});
        } else {
            ADD_FAILURE() << "an argument of a type that this test does not know: " << rest;
        }
        first = false;
    }
}

class BusGuard : public BusTest {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "must be root to become somebody else";
    }

    /// Every method of ours, of every object; properties that can be written are failures.
    std::vector<Method> methods(sd_bus* connection, const std::string& path = kPath) {
        const Answer answer = call(
            connection, "Introspect", [](sd_bus_message*) {}, kIntrospectable, path.c_str());
        pugi::xml_document document;
        EXPECT_TRUE(document.load_string(long_text(answer.message.get()).c_str())) << path;
        std::vector<Method> found;
        for (const auto& interface : document.child("node").children("interface")) {
            const std::string name = interface.attribute("name").value();
            if (name.starts_with("org.freedesktop.DBus"))
                continue;  // sd-bus' own: they read, and set what can be written
            for (const auto& property : interface.children("property"))
                EXPECT_STREQ(property.attribute("access").value(), "read") << name;
            for (const auto& method : interface.children("method")) {
                Method one{path, name, method.attribute("name").value(), ""};
                for (const auto& argument : method.children("arg"))
                    if (argument.attribute("direction").value() == std::string_view{"in"})
                        one.signature += argument.attribute("type").value();
                found.push_back(one);
            }
        }
        for (const auto& node : document.child("node").children("node"))
            for (auto& below : methods(connection, path + "/" + node.attribute("name").value()))
                found.push_back(below);
        return found;
    }

    Answer call_plainly(sd_bus* connection, const Method& method) {
        return call(
            connection, method.name.c_str(),
            [&](sd_bus_message* into) {
                if (method.name != "Forget" && method.name != "Remember")
                    return write_plain(into, method.signature);
                append(into, std::string_view{"test:///a"});
                append(into, std::string_view{uuid_number(1).str()});
            },
            method.interface.c_str(), method.path.c_str());
    }
    void expect_nothing_commanded() {
        settle();
        EXPECT_TRUE(facade.boots.empty() && facade.drains.empty() && facade.cancels.empty() &&
                    facade.forgotten.empty());
        EXPECT_EQ(facade.reloads, 0U);
    }
};

TEST_F(BusGuard, EveryMethodThatIsNoReadingAsksPolkit) {
    const FakePolkit polkit{[](const auto&) { return Verdict::no; }};
    const Connection nobody = connect_as(kNobody);
    std::set<std::string> actions;
    std::size_t commands = 0;
    for (const auto& method : methods(nobody.get())) {
        const auto before = polkit.asked().size();
        const Answer answer = call_plainly(nobody.get(), method);
        if (kReading.contains(method.name)) {
            EXPECT_EQ(answer.error, "") << method.name << ": " << answer.text;
            EXPECT_EQ(polkit.asked().size(), before) << method.name;
            continue;
        }
        ++commands;
        EXPECT_EQ(answer.error, kErrorAccessDenied) << method.name << ": " << answer.text;
        ASSERT_EQ(polkit.asked().size(), before + 1) << method.name;
        actions.insert(polkit.asked().back().action);
    }
    EXPECT_EQ(commands, 6U);
    EXPECT_EQ(actions.size(), 5U) << "one each, but Forget and Remember change the same list";
    expect_nothing_commanded();
}

TEST_F(BusGuard, ArgumentsOfOtherTypesReachNothing) {
    const Connection root = connect();
    const std::map<std::string, std::function<void(sd_bus_message*)>> wrong = {
        {"d", [](sd_bus_message* into) { EXPECT_GE(sd_bus_message_append(into, "d", 1.5), 0); }},
        {"sss",
         [](sd_bus_message* into) {
             EXPECT_GE(sd_bus_message_append(into, "sss", "a", "b", "c"), 0);
         }},
        {"aas",
         [](sd_bus_message* into) {
             const Container none{into, 'a', "as"};
         }},
        {"v",
         [](sd_bus_message* into) { EXPECT_GE(sd_bus_message_append(into, "v", "u", 7U), 0); }},
    };
    std::size_t tried = 0;
    for (const auto& method : methods(root.get()))
        for (const auto& [signature, write] : wrong) {
            const Answer answer = call(root.get(), method.name.c_str(), write,
                                       method.interface.c_str(), method.path.c_str());
            EXPECT_EQ(answer.error, SD_BUS_ERROR_INVALID_ARGS) << method.name << " " << signature;
            ++tried;
        }
    EXPECT_GE(tried, 13U * wrong.size());
    expect_nothing_commanded();
}

TEST_F(BusGuard, MoreNamesThanAnybodyTypesAreRefused) {
    const Connection nobody = connect_as(kNobody);
    const auto list = [&](std::size_t count, std::size_t length) {
        return call(nobody.get(), "ListGuests",
                    [&](sd_bus_message* into) {
                        const Container names{into, 'a', "s"};
                        for (std::size_t number = 0; number < count; ++number)
                            append(into, std::string_view{std::string(length, '*')});
                    })
            .error;
    };
    EXPECT_EQ(list(kMostTextBytes / kTextCost, 1), "");
    EXPECT_EQ(list(kMostTextBytes / kTextCost + 1, 1), kErrorInvalid);
    EXPECT_EQ(list(1, kMostTextBytes), "");
    EXPECT_EQ(list(1, kMostTextBytes + 1), kErrorInvalid);
    EXPECT_EQ(list(1, 1 << 20), kErrorInvalid);
}

}  // namespace
}  // namespace guestd::bus::test
