// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 5.3, 5.6: one guest on its stop ladder.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum CallKind;

struct Ladder : ::testing::Test {
    Host host;
};

TEST_F(Ladder, a_guest_that_obeys_is_shut_down) {
    const auto web = host.add("web", obeys_after(3s));
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::shut_down);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi));
}

TEST_F(Ladder, a_deaf_guest_is_saved_when_its_shutdown_time_is_over) {
    const auto web = host.add("web", deaf());
    host.policy->guests.stop.resend = 0s;
    host.policy->guests.stop.stop = {shutdown_for(20s), save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::saved);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, save));
    EXPECT_NEAR(static_cast<double>(host.asked_at(web, save).count()), 20e6, 1e5);
    EXPECT_THAT(host.cause(web), HasSubstr("no effect within 20s"));
}

TEST_F(Ladder, a_guest_that_can_be_neither_asked_nor_saved_is_destroyed) {
    auto model = deaf();
    model.refuses_save = true;
    const auto web = host.add("web", model);
    host.policy->guests.stop.resend = 0s;
    host.policy->guests.stop.stop = {shutdown_for(5s), save_for(1min), destroy_step()};
    host.drain();
    EXPECT_EQ(host.outcome(web), Outcome::destroyed);
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, save, destroy_graceful));
    EXPECT_NEAR(static_cast<double>(host.asked_at(web, destroy_graceful).count()), 5e6, 1e5)
        << "a refusal falls through at once";
}

TEST_F(Ladder, the_button_is_pressed_again_every_resend) {
    auto model = deaf();
    const auto web = host.add("web", model);
    host.policy->guests.stop.resend = 10s;
    host.policy->guests.stop.stop = {shutdown_for(35s), destroy_step()};
    host.drain();
    EXPECT_THAT(host.asked(web), ElementsAre(shutdown_acpi, shutdown_acpi, shutdown_acpi,
                                             shutdown_acpi, destroy_graceful));
}

}  // namespace
}  // namespace guestd::testing
