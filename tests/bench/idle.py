# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guestd costs a host on which nothing happens: CPU, wake-ups, memory, threads."""

import ast

from bed import Bed
from fleets import TestDriverGuests
from managers import Guestd
from report import Result

GUESTS = 200
SECONDS = 60
SETTLE = 40  # seconds: workers that a listing has brought end when idle for a while

# In the host, with the few modules of Debian's python3-minimal. Time on a core and voluntary switches
# (each ends a sleep) of all threads, by the kernel's own books, to the nanosecond.
LOOK = """
import os, re, sys, time
pid = sys.argv[3]
def look():
    threads = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{thread}"
        name = open(folder + "/comm").read().strip()
        on_cpu = int(open(folder + "/schedstat").read().split()[0])
        sleeps = int(re.search(r"^voluntary_ctxt_switches:\\s+(\\d+)", open(folder + "/status").read(),
                               re.M)[1])
        threads[thread] = (name, on_cpu, sleeps)
    return threads
time.sleep(float(sys.argv[1]))
before, begun = look(), time.monotonic()
time.sleep(float(sys.argv[2]))
after, seconds = look(), time.monotonic() - begun
rollup = open(f"/proc/{pid}/smaps_rollup").read()
wakes = {}
for thread, (name, on_cpu, sleeps) in after.items():
    _, _, earlier = before.get(thread, (name, 0, 0))
    wakes[name] = wakes.get(name, 0) + sleeps - earlier
print({
    "cpu_percent": sum(now[1] - before.get(thread, ("", 0, 0))[1]
                       for thread, now in after.items()) / seconds / 1e7,
    "wakeups_per_minute": 60 * sum(wakes.values()) / seconds,
    "woken": {name: count for name, count in wakes.items() if count},
    "pss_mib": int(re.search(r"^Pss:\\s+(\\d+)", rollup, re.M)[1]) / 1024,
    "threads": len(after)})
"""


def measure(packages, count=GUESTS):
    with Bed(packages) as bed:
        guests = TestDriverGuests(bed, count)
        Guestd().enter(bed, guests, "shutdown")
        bed.host.put_file("/root/look.py", LOOK)
        out = bed.host.out(f"python3 /root/look.py {SETTLE} {SECONDS} "
                           "$(systemctl show -P MainPID guestd)", timeout=SETTLE + SECONDS + 60)
        figures = ast.literal_eval(out) | {"rss_mib": bed.memory()["mib"]}
        figures["woken"] = ", ".join(f"{name} {times}" for name, times in figures["woken"].items())
        return Result("idle", count, {}, figures)
