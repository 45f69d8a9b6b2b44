// SPDX-License-Identifier: LGPL-2.1-or-later
// Errands and places: never more at once than there are places, and nothing for who has left.
#include <atomic>
#include <future>
#include <stdexcept>

#include "sensors/errands.hpp"
#include "sensors_fixture.hpp"

namespace guestd::sensors::testing {
namespace {

class ErrandsTest : public SensorsTest {
protected:
    std::promise<void> hold_;
    std::shared_future<void> held_ = hold_.get_future().share();
    std::vector<int> done_;

    Errands::Ticket send(Errands& errands, int number, bool hang = false) {
        return errands.send<int>(
            [number, hang, held = held_] {
                if (hang)
                    held.wait();
                return number;
            },
            [this](std::optional<int> result) { done_.push_back(result.value_or(-1)); });
    }
};

TEST_F(ErrandsTest, WaitForAPlaceInTheirOrder) {
    Errands errands{*loop_, 2};
    const auto stuck = send(errands, 1, true);
    const auto second = send(errands, 2);
    const auto third = send(errands, 3);
    EXPECT_TRUE(until([&] { return done_.size() == 2; }));
    EXPECT_THAT(done_, ::testing::ElementsAre(2, 3));
    hold_.set_value();
    EXPECT_TRUE(until([&] { return done_.size() == 3; }));
}

TEST_F(ErrandsTest, KeepTheirPlaceWhenNobodyWaits) {
    Errands errands{*loop_, 1};
    auto first_is_over = std::make_shared<std::atomic<bool>>(false);
    std::optional<bool> came_after_it;
    auto stuck = std::make_unique<Errands::Ticket>(errands.send<int>(
        [held = held_, first_is_over] {
            held.wait();
            *first_is_over = true;
            return 1;
        },
        [this](std::optional<int>) { done_.push_back(1); }));
    auto queued = std::make_unique<Errands::Ticket>(send(errands, 2));
    // Granted, so that the first is under way and not just dropped from the queue.
    sd_event_run(loop_->handle(), 0);
    stuck.reset();
    queued.reset();
    const auto last =
        errands.send<bool>([first_is_over] { return first_is_over->load(); },
                           [&](std::optional<bool> result) { came_after_it = result; });
    // Time enough for the last one, if it had a place: others come and go meanwhile.
    Errands others{*loop_, 1};
    std::vector<Errands::Ticket> tickets;
    for (int number = 10; number < 20; ++number)
        tickets.push_back(send(others, number));
    EXPECT_TRUE(until([&] { return done_.size() == 10; }));
    hold_.set_value();
    EXPECT_TRUE(until([&] { return came_after_it.has_value(); }));
    EXPECT_TRUE(*came_after_it);
    EXPECT_EQ(done_.size(), 10U);
}

TEST_F(ErrandsTest, ThatThrowHaveNoResult) {
    Errands errands{*loop_, 1};
    std::optional<std::optional<int>> result;
    const auto ticket = errands.send<int>([]() -> int { throw std::runtime_error{"no"}; },
                                          [&](std::optional<int> told) { result = told; });
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    EXPECT_FALSE(*result);
}

TEST_F(ErrandsTest, OutliveTheirSender) {
    auto errands = std::make_unique<Errands>(*loop_, 1);
    auto finished = std::make_shared<std::promise<void>>();
    {
        const auto ticket = errands->send<int>(
            [held = held_, finished] {
                held.wait();
                finished->set_value();
                return 1;
            },
            [&](std::optional<int>) { done_.push_back(1); });
        sd_event_run(loop_->handle(), 0);
    }
    errands.reset();
    hold_.set_value();
    EXPECT_EQ(finished->get_future().wait_for(20s), std::future_status::ready);
    EXPECT_TRUE(done_.empty());
}

TEST_F(ErrandsTest, PlacesAreGivenOnceEach) {
    Places places{*loop_, 2};
    std::vector<int> granted;
    std::map<int, Places::Place> held;
    for (int number = 0; number < 4; ++number)
        held.emplace(number, places.ask([&granted, number] { granted.push_back(number); }));
    EXPECT_TRUE(granted.empty());
    sd_event_run(loop_->handle(), 0);
    EXPECT_THAT(granted, ::testing::ElementsAre(0, 1));
    held.erase(2);
    held.erase(0);
    EXPECT_TRUE(until([&] { return granted.size() == 3; }));
    EXPECT_EQ(granted.back(), 3);
}

}  // namespace
}  // namespace guestd::sensors::testing
