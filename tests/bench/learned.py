# SPDX-License-Identifier: LGPL-2.1-or-later
"""The second run against the first, which knows nothing of the host.

Guests of 16 to 256 MiB are to be saved on a disk of known speed, in half the time that it needs for
all of them: what counts is how much is whole by then. Whoever knows the disk begins only saves that
can end in time; whoever does not begins all of them, and has to give up most half way.
"""

import slow_disk
from bed import Bed, BenchError, wait_quiet
from fleets import QemuGuests
from guests import Guest
from managers import Guestd
from report import Result

MIB = 1 << 20
SPEED = 96 * MIB  # per second: slow enough for two cores to feed
SIZES = [256] * 2 + [128] * 4 + [64] * 8 + [32] * 8 + [16] * 8  # MiB of memory
FILLED = 0.8  # of its memory, by each guest


def drain(bed, guests, deadline):
    """(MiB saved, guests saved) by a drain with this deadline; then all are brought back."""
    wait_quiet()
    # Not clean, of course: some are destroyed.
    bed.host.exec(f"guestctl drain --yes --wait --deadline {deadline}s", timeout=300)
    guests.expect_running(0)
    newest = max(run["run"] for run in bed.json("guestctl --json history")
                 if run["kind"] == "drain")
    told = bed.json(f"guestctl --json history {newest}")["guests"]
    saved = {guest["name"] for guest in told if guest["outcome"] == "saved"}
    images = slow_disk.images(bed.host)
    if set(images) != saved:
        raise BenchError(f"images of {sorted(images)}, told are {sorted(saved)}")
    bed.host.exec("guestctl boot --wait", timeout=300, check=True)
    guests.expect_running(guests.count)
    return sum(images.values()) / MIB, len(saved)


def measure(packages, runs):
    """`runs` first runs, each with the state of a new host, and a second one after each."""
    figures = {}
    with Bed(packages) as bed:
        fleet = [Guest(f"vm{number + 1}", memory_mib=size, dirty_mib=int(size * FILLED))
                 for number, size in enumerate(SIZES)]
        guests = QemuGuests(bed, len(SIZES), fleet)
        slow_disk.install(bed.host, SPEED)
        deadline = round(sum(guest.dirty_mib for guest in fleet) * MIB / SPEED / 2)
        for number in range(runs):
            bed.host.exec("systemctl stop guestd; rm -rf /var/lib/guestd/*", check=True)
            Guestd().enter(bed, guests, "save")
            for which in ("first", "second"):
                mib, count = drain(bed, guests, deadline)
                figures[f"{which}_run_mib_{number + 1}"] = mib
                figures[f"{which}_run_guests_{number + 1}"] = count
        figures["deadline_s"] = deadline
        figures["disk_could_mib"] = deadline * SPEED / MIB
        return Result("learned", len(SIZES), {}, figures)
