// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What status warns of follows the guests and the policy, although it is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/descriptors.hpp"
#include "daemon/fleet_warnings.hpp"

namespace guestd::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kBackedUp =
    R"(<policy xmlns="urn:guestd:policy:1"><tag>backup</tag></policy>)";

std::shared_ptr<const config::Config> config_of(const char* text) {
    auto loaded = config::Config::load(config::text_source(text, "f.toml"));
    EXPECT_TRUE(loaded.has_value());
    return loaded.value_or(config::Config::built_in());
}

GuestInfo info(std::uint8_t number, const std::string& name, const std::string& metadata = "") {
    GuestInfo guest;
    guest.uuid = Uuid{{number}};
    guest.name = name;
    guest.metadata = metadata;
    return guest;
}

struct KeptWarnings : ::testing::Test {
    std::shared_ptr<const config::Config> config = config_of("[[guest]]\nname = 'db'\n");
    Machine machine{"boot", {"qemu:///system"}, config};
    FleetWarnings warnings;

    /// As the daemon does with each event.
    Outbox feed(const Event& event) {
        auto commands = machine.step(event, TimePoint{1s});
        warnings.heard(event);
        return commands;
    }
    const std::vector<std::string>& shown() {
        // Asked for twice: also what is kept must be right.
        warnings.of(*config, machine);
        EXPECT_EQ(warnings.of(*config, machine), fleet_warnings(*config, machine));
        return warnings.of(*config, machine);
    }
    void SetUp() override {
        machine.restore({}, true, TimePoint{});
        EXPECT_THAT(shown(), IsEmpty()) << "nobody knows yet";
        feed(InventoryListed{UriId{}, {info(1, "web")}});
        ASSERT_THAT(shown(), ElementsAre(HasSubstr("db matches no guest")));
    }
};

TEST(DescriptorWarnings, NameTheSettingAndWhatItTakes) {
    EXPECT_THAT(descriptor_warnings(1), ::testing::IsEmpty());
    const auto told = descriptor_warnings(std::size_t{1} << 40);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_THAT(told.front(), ::testing::HasSubstr("LimitNOFILE=109951162777700"));
}

TEST_F(KeptWarnings, FollowAListing) {
    feed(InventoryListed{UriId{}, {info(1, "web"), info(2, "db")}});
    EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(KeptWarnings, FollowALostUri) {
    feed(UriLost{UriId{}, "gone"});
    EXPECT_THAT(shown(), IsEmpty()) << "it may have a db by now";
}

TEST_F(KeptWarnings, FollowAGuestThatComesAndGoes) {
    const GuestId db{UriId{}, Uuid{{2}}};
    feed(GuestChanged{db, Lifecycle::defined, "db", true});
    EXPECT_THAT(shown(), IsEmpty());
    feed(GuestChanged{db, Lifecycle::undefined, "db", false});
    EXPECT_THAT(shown(), ElementsAre(HasSubstr("db matches no guest")));
}

TEST_F(KeptWarnings, FollowMetadataThatIsReadAgain) {
    config = config_of("[[guest]]\ntag = 'backup'\n");
    feed(PolicyReplaced{config});
    ASSERT_THAT(shown(), ElementsAre(HasSubstr("matches no guest")));
    const GuestId web{UriId{}, Uuid{{1}}};
    CallId look = 0;
    for (const auto& command : feed(GuestChanged{web, Lifecycle::defined, "web", true}))
        if (const auto* call = std::get_if<Call>(&command))
            look = call->id;
    ASSERT_NE(look, 0U);
    ASSERT_THAT(shown(), ElementsAre(HasSubstr("matches no guest")));
    feed(CallReturned{.id = look, .guest = web, .observed = info(1, "web", kBackedUp)});
    EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(KeptWarnings, FollowThePolicy) {
    config = config_of("[[guest]]\nname = 'mail'\n");
    feed(PolicyReplaced{config});
    EXPECT_THAT(shown(), ElementsAre(HasSubstr("mail matches no guest")));
}

}  // namespace
}  // namespace guestd::daemon
