# SPDX-License-Identifier: LGPL-2.1-or-later
"""Twenty guests, three at a time, each ready two seconds after it is up.

libvirt's own events say when each started: never are more than three between that and ready. And no
time is lost: the run takes at most 10 % longer than the best that three places can do with guests
that take as long as these took; how long that was is checked against the events.
"""

import heapq
from itertools import accumulate

import observe
from support import Fleet, configure, expect, newest_run

KINDS = ("container",)
MANAGERS = ("guestd",)

COUNT = 20
LIMIT = 3
READY = 2.0  # seconds from up to ready
SLACK = 1.10
STAMPED_LATE = 0.3  # seconds: virsh stamps an event as it gets it, in its turn on a busy host
CONFIG = f"""
[boot]
max_parallel = {LIMIT}
ready = "delay:{READY:.0f}s"
pressure = {{ io = 0, cpu = 0, memory = 0 }}
"""


def best_time(durations, places):
    """Of guests that are taken one after the other, each as soon as a place is free."""
    free = [0.0] * places
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def most_at_once(spans):
    changes = [(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans]
    return max(accumulate(change for _, change in sorted(changes)))


def check_limit(started):
    """Of any four starts in a row the first must have been ready before the fourth."""
    for (first, one), (fourth, other) in zip(started, started[LIMIT:]):
        expect(fourth - first >= READY,
               f"{other} was started {fourth - first:.2f} s after {one}, three guests later")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet.of(host, COUNT).define()
    observe.wait_known(fleet)
    observe.begin(host)
    host.exec("guestctl boot --wait 'vm*'", timeout=180, check=True)

    started = observe.events(host, "Started")
    expect(sorted(name for _, name in started) == sorted(fleet.names),
           f"started, as libvirt says: {started}")
    check_limit(started)
    fleet.wait_traces("U")

    record, guests = newest_run(host, "boot")
    offset = observe.clock(host)
    spans = {name: (guest["started_usec"] / 1e6 + offset, guest["ended_usec"] / 1e6 + offset)
             for name, guest in guests.items()}
    expect(most_at_once(spans.values()) <= LIMIT, f"more than {LIMIT} at once: {guests}")
    # From its start call to the event is libvirt's time, the next two seconds are the guest's own;
    # what is left until it is ready is guestd's, and no part of the lower bound.
    idle = {name: spans[name][1] - at - READY for at, name in started}
    expect(min(idle.values()) >= -STAMPED_LATE, f"ready before its time: {idle}")
    took = max(end for _, end in spans.values()) - (record["started_usec"] / 1e6 + offset)
    in_order = sorted(spans, key=spans.get)
    needed = best_time([spans[name][1] - spans[name][0] - idle[name] for name in in_order], LIMIT)
    print(f"{took:.2f} s for {COUNT} guests; {LIMIT} places need {needed:.2f} s: "
          f"{took / needed:.3f} times that; ready is seen after "
          f"{sum(idle.values()) / COUNT * 1e3:.0f} ms")
    expect(took <= SLACK * needed, f"{took:.2f} s instead of {needed:.2f} s")
