// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Random hosts for property tests. To be called inside rc::check only: every choice is drawn from
/// rapidcheck, so that a failing host is shrunk to a small one.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <initializer_list>
#include <vector>

#include "core_checks.hpp"
#include "core_host.hpp"

namespace guestd::testing {

template <class T>
T one_of(std::initializer_list<T> choices) {
    return *rc::gen::elementOf(std::vector<T>(choices));
}
inline bool chance(int percent) {
    return *rc::gen::inRange(0, 100) >= 100 - percent;
}
inline Duration seconds_between(int least, int most) {
    return std::chrono::seconds{*rc::gen::inRange(least, most + 1)};
}
inline unsigned number(unsigned least, unsigned most) {
    return *rc::gen::inRange(least, most + 1);
}

/// Fails the case, with its whole story, when there is something to complain about.
inline void hold(Host& host, const Complaint& complaint) {
    if (complaint)
        RC_FAIL(*complaint + "\n" + host.transcript());
}
inline void hold(Host& host, bool good, const std::string& what) {
    hold(host, good ? Complaint{} : Complaint{what});
}

/// To be called when a host's story is over: adds its kills of guestd to those of the process,
/// whose sum is printed in the end. Environment GUESTD_PROPERTY_KILLS=N: fewer are a failure.
void count_kills(Host& host);

/// What happens to libvirt, and may be over by `until`.
struct Weather {
    bool calm = true;       ///< libvirt answers all the time
    bool for_ever = false;  ///< it goes away and does not come back
};

sim::UriModel random_uri(bool faulty_events);
GuestModel random_running_guest();
GuestModel random_stopped_guest();
void random_stop_policy(GuestPolicy& policy);
void random_start_policy(GuestPolicy& policy);
/// "g3 after g1": never a cycle.
void random_order(sim::Policy& policy, unsigned guests);
/// What guests may need.
std::vector<Need> needs();
/// Needs that come and go and are there in the end; a host under more or less pressure.
void random_surroundings(Host& host);
Weather random_weather(Host& host, UriId uri, TimePoint from, TimePoint until);

}  // namespace guestd::testing
