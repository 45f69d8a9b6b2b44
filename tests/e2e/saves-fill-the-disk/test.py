# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thirty guests of 16 to 256 MiB are saved on a disk of known speed: the disk is what limits.

The drain takes little longer than that disk needs for the images. Then there is time
for half of it: the saves that cannot be done are aborted, and their guests destroyed by the next
step, reported with the cause; those that were saved are whole, and come back; everyone had its
turn before the deadline.
"""

import slow_disk
from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

MIB = 1 << 20
SPEED = 96 * MIB  # per second
SIZES = [256] * 2 + [128] * 4 + [64] * 8 + [32] * 8 + [16] * 8  # MiB of memory
FILLED = 0.8  # of its memory, by each guest
# Of what the disk needs. 1.02 on a machine that does nothing else, 1.22 beside a compiler and other
# hosts; what is measured to the hundredth is `./dev bench save-30`.
SLACK = 1.5
CONFIG = """
[boot]
ready = "running"
max_parallel = 0
[shutdown]
stop = ["save 5min", "destroy"]
"""


def timing(run):
    return (run["ended_usec"] - run["started_usec"]) / 1e6


def all_in_time(host, fleet):
    host.exec("guestctl drain --yes --wait", timeout=180)
    run, guests = newest_run(host, "drain")
    expect({guest["outcome"] for guest in guests.values()} == {"saved"}
           and len(guests) == len(SIZES), f"not all were saved: {guests}")
    total = sum(slow_disk.images(host).values())
    filled = sum(guest.dirty_mib for guest in fleet.guests) * MIB
    expect(total > filled, f"the images have {total} bytes, less than the {filled} filled")
    took, needed = timing(run), total / SPEED
    print(f"{total / MIB:.0f} MiB in {took:.2f} s; at {SPEED / MIB:.0f} MiB/s that takes "
          f"{needed:.2f} s: {took / needed:.3f} times that")
    expect(took >= needed, "the disk was faster than it is: the test measures nothing")
    expect(took <= SLACK * needed, f"{took:.2f} s instead of {needed:.2f} s")
    host.exec("guestctl boot --wait", timeout=120, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    return needed


def only_half_in_time(host, fleet, needed):
    deadline = round(needed / 2)
    host.exec(f"guestctl drain --yes --wait --deadline {deadline}s", timeout=120)
    run, guests = newest_run(host, "drain")
    by_outcome = {}
    for name, guest in guests.items():
        by_outcome.setdefault(guest["outcome"], []).append(name)
    whole = sum(guest["bytes"] for guest in guests.values() if guest["outcome"] == "saved")
    print(f"deadline {deadline} s: {({key: len(names) for key, names in by_outcome.items()})} "
          f"in {timing(run):.2f} s; {whole / MIB:.0f} MiB saved of {deadline * SPEED / MIB:.0f} "
          "that the disk could take")
    expect(set(by_outcome) == {"saved", "destroyed"}, f"outcomes: {guests}")
    expect(timing(run) <= deadline, f"the deadline of {deadline} s was missed")
    expect(any("abort" in guests[name]["cause"] for name in by_outcome["destroyed"]),
           f"no cause tells of an aborted save: {guests}")
    expect(all("save" in guests[name]["cause"] for name in by_outcome["destroyed"]),
           f"causes: {guests}")
    images = sorted(slow_disk.images(host))
    expect(images == sorted(by_outcome["saved"]), f"images {images}, outcomes {by_outcome}")

    before = fleet.traces()
    host.exec("guestctl boot --wait", timeout=120, check=True)
    _, booted = newest_run(host, "boot")
    for outcome, again in (("saved", "restored"), ("destroyed", "started")):
        for name in by_outcome[outcome]:
            expect(booted[name]["outcome"] == again, f"{name}, {outcome}: {booted[name]}")
    fleet.wait_traces({name: before[name] + ("U" if name in by_outcome["destroyed"] else "")
                       for name in fleet.names})


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    slow_disk.install(host, SPEED)
    fleet = Fleet(host, [Guest(f"vm{number + 1}", memory_mib=size, dirty_mib=int(size * FILLED))
                         for number, size in enumerate(SIZES)]).define().start()
    needed = all_in_time(host, fleet)
    only_half_in_time(host, fleet, needed)
