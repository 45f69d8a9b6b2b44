// SPDX-License-Identifier: LGPL-2.1-or-later

/// What callers may make guestd hold: how many calls that wait, of whom, and how much in each.

#include "bus_client.hpp"
#include "bus_fake_polkit.hpp"
#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;
using Verdict = FakePolkit::Verdict;

constexpr uid_t kNobody = 65534;
/// The bus takes users that the host knows only: 1 to 6 are there everywhere.
constexpr uid_t kFirstUser = 1;
const auto kNothing = [](sd_bus_message*) {};

class BusLimits : public BusTest {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "must be root to become somebody else";
    }
    static int on_reply(sd_bus_message* reply, void* userdata, sd_bus_error*) {
        const auto* error = sd_bus_message_get_error(reply);
        if (error != nullptr && std::string_view{error->name} == SD_BUS_ERROR_LIMITS_EXCEEDED)
            ++*static_cast<unsigned*>(userdata);
        return 0;
    }
    /// Asks for the history and does not wait.
    void ask(sd_bus* program, unsigned times) {
        for (unsigned number = 0; number < times; ++number)
            ASSERT_GE(sd_bus_call_method_async(program, nullptr, kService, kPath, kManager,
                                               "ListRuns", on_reply, &refused, "u", 0),
                      0);
    }
    /// All that was asked on this connection has been judged: what the bus has told guestd of its
    /// callers comes before the second question. sd-bus answers it, whatever is open.
    static void wait_until_judged(sd_bus* program) {
        for (int turn = 0; turn < 2; ++turn)
            EXPECT_EQ(call(program, "Ping", kNothing, "org.freedesktop.DBus.Peer").error, "");
    }
    std::size_t waiting() {
        std::size_t count = 0;
        guestd->on_loop([&](Server&) { count = facade.kept_replies.size(); });
        return count;
    }
    void keep(bool replies) {
        guestd->on_loop([&](Server&) { facade.keep_replies = replies; });
    }
    static std::string history_as(uid_t uid) {
        const Connection somebody = connect_as(uid);
        return call(somebody.get(), "ListRuns",
                    [](sd_bus_message* into) { append(into, std::uint32_t{0}); })
            .error;
    }

    unsigned refused = 0;
};

TEST_F(BusLimits, WhoComesBackUnderAnotherNameIsTheSameUser) {
    keep(true);
    for (int times = 0; times < 20; ++times) {
        const Connection program = connect_as(kNobody);
        ask(program.get(), kMostOpenCalls);
        wait_until_judged(program.get());
    }
    EXPECT_EQ(waiting(), kMostCallsOfUser);
    EXPECT_EQ(refused, 0U) << "nobody was there to be told";
    keep(false);
    EXPECT_EQ(history_as(kNobody), SD_BUS_ERROR_LIMITS_EXCEEDED);
    EXPECT_EQ(history_as(kFirstUser), "");
    EXPECT_EQ(history_as(0), "");
    guestd->on_loop([&](Server&) { facade.kept_replies.clear(); });
    EXPECT_EQ(history_as(kNobody), "") << "what was answered is not counted any more";
}

TEST_F(BusLimits, ManyUsersAreNotManyTimesAsMuch) {
    keep(true);
    constexpr unsigned kUsers = kMostCallsOfUsers / kMostCallsOfUser + 2;
    std::vector<Connection> programs;
    for (uid_t user = kFirstUser; user < kFirstUser + kUsers; ++user) {
        programs.push_back(connect_as(user));
        ask(programs.back().get(), kMostCallsOfUser);
        wait_until_judged(programs.back().get());
    }
    EXPECT_EQ(waiting(), kMostCallsOfUsers);
    keep(false);
    EXPECT_EQ(history_as(kNobody), SD_BUS_ERROR_LIMITS_EXCEEDED);
    EXPECT_EQ(history_as(0), "");
}

TEST_F(BusLimits, CommandsThatWaitForPolkitAreCountedToo) {
    const FakePolkit polkit{[](const auto&) { return Verdict::silence; }};
    for (int times = 0; times < 4; ++times) {
        const Connection program = connect_as(kNobody);
        for (unsigned number = 0; number < kMostOpenCalls; ++number)
            ASSERT_GE(sd_bus_call_method_async(program.get(), nullptr, kService, kPath, kManager,
                                               "Cancel", on_reply, &refused, "u", 0),
                      0);
        wait_until_judged(program.get());
    }
    polkit.wait_until_asked(kMostCallsOfUser);
    EXPECT_EQ(history_as(kNobody), SD_BUS_ERROR_LIMITS_EXCEEDED);
    EXPECT_EQ(call(connect().get(), "Reload", kNothing).error, "");
    EXPECT_EQ(polkit.asked().size(), kMostCallsOfUser);
}

TEST_F(BusLimits, AFloodBeforeItsUsersAreKnownIsRefused) {
    constexpr unsigned kPrograms = kMostUnknownCalls / kMostOpenCalls + 2;
    std::vector<Connection> programs;
    guestd->on_loop([&](Server&) {
        for (unsigned number = 0; number < kPrograms; ++number) {
            programs.push_back(connect());
            ask(programs.back().get(), kMostOpenCalls);
            // The bus has all of it when it has answered: guestd reads it before any answer.
            EXPECT_GE(sd_bus_call_method(programs.back().get(), "org.freedesktop.DBus",
                                         "/org/freedesktop/DBus", "org.freedesktop.DBus.Peer",
                                         "Ping", nullptr, nullptr, nullptr),
                      0);
        }
    });
    for (const auto& program : programs)
        wait_until_judged(program.get());
    for (const auto& program : programs)
        while (sd_bus_process(program.get(), nullptr) > 0) {
        }
    EXPECT_EQ(refused, (kPrograms * kMostOpenCalls) - kMostUnknownCalls);
    EXPECT_EQ(history_as(kNobody), "");
}

class BusAnswers : public BusLimits {
protected:
    static constexpr unsigned kAsked = 100;  ///< the bus lets a program have 128 open

    /// Asks `asks` times and does not read. On guestd's loop, which so does not answer yet.
    Connection ask_all(const char* member) {
        Connection program = connect();
        for (unsigned number = 0; number < asks; ++number)
            EXPECT_GE(sd_bus_call_method_async(program.get(), nullptr, kService, kPath, kManager,
                                               member, on_reply, &refused, "as", 0),
                      0);
        EXPECT_GE(
            sd_bus_call_method(program.get(), "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus.Peer", "Ping", nullptr, nullptr, nullptr),
            0);
        return program;
    }
    /// `programs` ask, and the bus takes no answer until guestd has seen all calls.
    void flood(unsigned programs, const char* member, const std::function<void(Server&)>& more) {
        std::vector<Connection> all;
        guestd->on_loop([&](Server& server) {
            facade.guests_asked = 0;
            for (unsigned number = 0; number < programs; ++number)
                all.push_back(ask_all(member));
            bus.freeze();
            more(server);
        });
        guestd->wait_until_idle();
        guestd->on_loop([&](Server&) {
            answered = facade.guests_asked + static_cast<unsigned>(facade.metadata_asked.size());
        });
        bus.thaw();
        if (answered < asks)
            process_until(all.front().get(), [&] { return refused > 0; });
    }
    /// What the socket has taken is not in the queue any more.
    void expect_bounded(std::size_t length) const {
        constexpr std::size_t kSocket = std::size_t{16} << 20;  // sd-bus asks for it
        EXPECT_GT(answered, 1U);
        EXPECT_LE(answered, kMostOpenCalls + (kSocket / length) + 1);
        EXPECT_GT(refused, 0U);
    }

    unsigned asks = kAsked;
    unsigned answered = 0;
};

TEST_F(BusAnswers, OfMetadataDoNotPileUp) {
    guestd->on_loop([&](Server&) {
        facade.metadata_views = {{"test:///a", uuid_number(1), std::string(kMostMetadata, 'x')}};
    });
    flood(2, "ListMetadata", [](Server&) {});
    expect_bounded(kMostMetadata);
}

TEST_F(BusAnswers, OfGuestsDoNotPileUp) {
    guestd->on_loop([&](Server&) {
        facade.guest_views = {{.uri = "test:///a", .name = std::string(500'000, 'x')}};
    });
    flood(2, "ListGuests", [](Server&) {});
    expect_bounded(500'000);
}

TEST_F(BusAnswers, AreNotWaitedForAtTheEnd) {
    guestd->on_loop([&](Server& server) {
        bus.freeze();
        for (int times = 0; times < 300'000; ++times)  // more than the socket takes
            server.run_ended(7, true);
    });
    guestd.reset();
    bus.thaw();
}

TEST_F(BusAnswers, ABusThatNeverSaidHelloIsNotWaitedForAtTheEnd) {
    bus.freeze();
    sd_event* event = nullptr;
    ASSERT_GE(sd_event_new(&event), 0);
    {
        StubFacade other;
        const Server server{event, other, {}};
        ASSERT_GE(sd_event_run(event, 0), 0);
        ASSERT_GE(sd_event_exit(event, 0), 0);
        EXPECT_EQ(sd_event_loop(event), 0);
    }
    sd_event_unref(event);
    bus.thaw();
}

TEST_F(BusAnswers, AreGivenWhateverSignalsWait) {
    asks = 20;
    flood(1, "ListGuests", [](Server& server) {
        for (int times = 0; times < 3000; ++times)
            server.run_ended(7, true);
    });
    EXPECT_EQ(answered, 20U);
    EXPECT_EQ(refused, 0U);
}

TEST_F(BusLimits, NothingLargeIsKeptOrToldToPolkit) {
    const FakePolkit polkit{[](const auto&) { return Verdict::no; }};
    const Connection nobody = connect_as(kNobody);
    const auto remember = [&](const char* member, std::size_t length) {
        return call(nobody.get(), member,
                    [&](sd_bus_message* into) {
                        append(into, std::string_view{std::string(length, 'x')});
                        append(into, std::string_view{uuid_number(1).str()});
                    })
            .error;
    };
    for (const char* member : {"Remember", "Forget"}) {
        EXPECT_EQ(remember(member, kMostTextLength), kErrorAccessDenied);
        EXPECT_EQ(remember(member, kMostTextLength + 1), kErrorInvalid);
        EXPECT_EQ(remember(member, 8 << 20), kErrorInvalid);
    }
    EXPECT_EQ(polkit.asked().size(), 2U);
}

TEST_F(BusLimits, OptionsWithoutEndAreNotRead) {
    const Connection nobody = connect_as(kNobody);
    const auto drain = [&](std::size_t options, std::size_t length) {
        return call(nobody.get(), "Drain", [&](sd_bus_message* into) {
            { const Container none{into, 'a', "s"}; }
            Dict dict{into};
            for (std::size_t number = 0; number < options; ++number) {
                const std::string key = std::to_string(number) + std::string(length, 'x');
                dict.flag(key.c_str(), true);
            }
        });
    };
    EXPECT_THAT(drain(kMostOptions, 1).text, HasSubstr("unknown option '0x'"));
    EXPECT_EQ(drain(kMostOptions + 1, 1).text, "too many options");
    EXPECT_EQ(drain(20'000, 1).text, "too many options");
    EXPECT_EQ(drain(1, 1 << 20).error, kErrorInvalid);
    EXPECT_LT(drain(1, kMostTextLength - 1).text.size(), 120U) << "not all of it comes back";
}

TEST_F(BusLimits, PathsAreNotTakenApartWithoutEnd) {
    const Connection nobody = connect_as(kNobody);
    const auto ping = [&](std::size_t length) {
        std::string path;
        while (path.size() < length)
            path += "/a";
        return call(nobody.get(), "Introspect", kNothing, "org.freedesktop.DBus.Introspectable",
                    path.c_str());
    };
    for (const std::size_t length : {100U, 8'000U, 60'000U}) {
        const Answer answer = ping(length);
        EXPECT_EQ(answer.error, SD_BUS_ERROR_UNKNOWN_OBJECT);
        EXPECT_LT(answer.text.size(), 200U) << length;
    }
}

TEST(BusQuotes, CutsBetweenCharacters) {
    EXPECT_EQ(raw_quote("vm"), "'vm'");
    EXPECT_EQ(raw_quote(std::string(64, 'x')), "'" + std::string(64, 'x') + "'");
    EXPECT_EQ(raw_quote(std::string(65, 'x')), "'" + std::string(64, 'x') + "…'");
    EXPECT_EQ(raw_quote(std::string(63, 'x') + "é" + "y"), "'" + std::string(63, 'x') + "…'");
    EXPECT_EQ(raw_quote(std::string(90, '\x80')), "'…'") << "no text, and no harm";
}

}  // namespace
}  // namespace guestd::bus::test
