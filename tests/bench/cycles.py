# SPDX-License-Identifier: LGPL-2.1-or-later
"""Down and up again, by each manager in turn, on the same guests, several times.

shutdown-N and boot-N are the two halves of one cycle, save-N and restore-N those of another. Who
goes first changes from round to round.
"""

import statistics

from bed import Bed
from fleets import QemuGuests, TestDriverGuests
from managers import Floor, Guestd, Stock
from report import Result

WAYS = {"shutdown": ("shutdown", "boot"), "save": ("save", "restore")}
# The stock script needs a second or two per guest. What took longer than this in the first round
# gets no second one: its ratio would not change, and the whole would take hours.
SLOW = 60
# Above, it is not tried one by one; and above, with no setting at all (10 minutes and more).
MOST_SERIAL, MOST_PARALLEL = 100, 1000


def managers(way, count, extra=""):
    found = [Guestd(extra)]
    if count <= MOST_SERIAL:
        found.append(Stock(parallel=False))
    if way == "shutdown" and count <= MOST_PARALLEL:
        found.append(Stock(parallel=True))
    if way == "save":  # as many at once as guestd, which leaves five of libvirt's workers to others
        found.append(Floor(5, 3, "floor-15"))
    return [*found, Floor()]


def turn(bed, guests, manager, way, cold=False):
    """(seconds down, seconds up) of one manager. `cold`: up is only put right, not measured."""
    manager.enter(bed, guests, way)
    try:
        down = manager.down(bed, guests, way)
        guests.check_down(way)
        guests.before_up()
        if cold:
            guests.start()
            return down, None
        up = manager.up(bed, guests, way)
        guests.after_up(way)
        return down, up
    finally:
        manager.leave(bed)


def rounds(bed, guests, way, runs, cold=False, who=None):
    """Two dicts {manager: [seconds by round]}: down, up."""
    who = who or managers(way, guests.count)
    down, up = {each.name: [] for each in who}, {each.name: [] for each in who}
    for number in range(runs):
        first = number % len(who)
        for manager in who[first:] + who[:first]:
            taken = [sample for sample in down[manager.name] + up[manager.name] if sample]
            measured = (None, None) if any(sample > SLOW for sample in taken) else \
                turn(bed, guests, manager, way, cold)
            down[manager.name].append(measured[0])
            up[manager.name].append(measured[1])
    return down, up


def peak(who):
    """What guestd had at most, over its turns."""
    guestd = next(each for each in who if each.name == "guestd")
    return {"guestd_peak_mib": max(each["peak_mib"] for each in guestd.memory),
            "guestd_threads_after": max(each["threads"] for each in guestd.memory)}


def real(packages, count, wanted, runs):
    """Yields the wanted ones of shutdown-, boot-, save- and restore-COUNT, on QEMU."""
    with Bed(packages) as bed:
        guests = QemuGuests(bed, count)
        for way, halves in WAYS.items():
            names = [f"{half}-{count}" for half in halves]
            if not set(names) & set(wanted):
                continue
            bed.busy, who = [], managers(way, count)
            for name, samples in zip(names, rounds(bed, guests, way, runs, who=who)):
                if name in wanted:
                    yield Result(name, count, samples, peak(who), statistics.median(bed.busy))


def test_driver(packages, name, count, servers, runs):
    with Bed(packages) as bed:
        guests = TestDriverGuests(bed, count, servers)
        who = managers("shutdown", guests.count)
        if servers > 1:  # the script takes one URI after another: minutes, and nothing new
            who = [each for each in who if not each.name.startswith("stock")]
        down, _ = rounds(bed, guests, "shutdown", runs, cold=True, who=who)
        figures = peak(who)
        figures["guestd_ms_per_guest"] = 1000 * statistics.median(down["guestd"]) / guests.count
        yield Result(name, guests.count, down, figures, statistics.median(bed.busy))
