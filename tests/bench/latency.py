# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guestd itself adds where somebody waits for it.

request: from "Stopping guestd.service" at a poweroff (systemd's line in the journal, right before
its SIGTERM) to the first request to a guest. drained: from libvirt's last STOPPED event, which
another client saw, to the end of the run, and to the end of `guestctl drain --wait`. status: how
long `guestctl status` takes.
"""

import json
import re
import statistics

from bed import FLOOR, Bed, BenchError, wait_quiet
from fleets import QemuGuests, TestDriverGuests
from managers import Guestd
from report import Result

STATUS_GUESTS, STATUS_TIMES = 200, 20
LOOKS = ("status", "list", "plan drain", "plot")


def entries(host):
    """The journal of a host that is down: a dictionary per entry."""
    lines = host.journal("-o", "json", "-u", "guestd", timeout=120).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def moment(entry):
    """Microseconds since boot; as the sender had it, where that is known."""
    return int(entry.get("_SOURCE_MONOTONIC_TIMESTAMP", entry["__MONOTONIC_TIMESTAMP"]))


def first_request(host):
    """Milliseconds from the stop of the unit to the first request, by the journal."""
    told = entries(host)
    stops = [moment(entry) for entry in told
             if entry.get("JOB_TYPE") == "stop" and str(entry["MESSAGE"]).startswith("Stopping")]
    asked = [moment(entry) for entry in told if entry.get("GUESTD_STEP") and
             stops and moment(entry) >= stops[-1]]
    if not asked:
        raise BenchError("the journal tells of no request after the stop")
    return (min(asked) - stops[-1]) / 1000


def request(packages, count, runs):
    """At a real poweroff; each time with all guests up again."""
    found = []
    for _ in range(runs):
        with Bed(packages) as bed:
            guests = QemuGuests(bed, count)
            Guestd().enter(bed, guests, "shutdown")
            busy = wait_quiet()
            bed.host.poweroff(timeout=600)
            if guests.fleet.obeyed() != guests.fleet.names:
                raise BenchError(f"not all obeyed: {guests.fleet.traces()}")
            found.append(first_request(bed.host))
    return Result("latency-request", count, {},
                  {"guestd_ms": statistics.median(found), "all_ms": str(found)}, busy)


def drained_once(bed, guests):
    """(ms to the run's end, ms to the client's end) after the last guest has stopped."""
    bed.host.exec("rm -f /run/watch; systemd-run --quiet --unit=watch --collect "
                  f"-p StandardOutput=file:/run/watch {FLOOR} watch {guests.count} "
                  f"{' '.join(guests.quoted)}; until grep -q watching /run/watch; do sleep 0.1; "
                  "done", check=True)
    now = "$(python3 -c 'import time; print(time.monotonic_ns() // 1000)')"
    # Python starts after the client has ended: its own start is measured, and taken off.
    out = bed.host.out(f"guestctl drain --yes --wait >/dev/null; first={now}; second={now}; "
                       "echo $first $second", timeout=600)
    first, second = map(int, out.split()[-2:])
    client = first - (second - first)
    bed.until(lambda: re.search(r"^\d+$", bed.host.read_file("/run/watch").decode(), re.M),
              "the watcher has seen all guests stop")
    last = int(bed.host.read_file("/run/watch").split()[-1])
    run = bed.json("guestctl --json history")
    ended = max((each for each in run if each["kind"] == "drain"),
                key=lambda each: each["run"])["ended_usec"]
    return (ended - last) / 1000, (client - last) / 1000


def drained(packages, count, runs):
    with Bed(packages) as bed:
        guests, found = QemuGuests(bed, count), []
        guestd = Guestd()
        guestd.enter(bed, guests, "shutdown")
        for _ in range(runs):
            bed.busy.append(wait_quiet())
            found.append(drained_once(bed, guests))
            guests.check_down("shutdown")
            guests.before_up()
            guestd.up(bed, guests, "shutdown")
            guests.after_up("shutdown")
        ends, clients = zip(*found)
        return Result("latency-drained", count, {},
                      {"drained_ms": statistics.median(ends), "all_ms": str(sorted(ends)),
                       "client_ms": statistics.median(clients)}, statistics.median(bed.busy))


def status(packages, count=STATUS_GUESTS):
    with Bed(packages) as bed:
        guests = TestDriverGuests(bed, count)
        Guestd().enter(bed, guests, "shutdown")
        # A run of all of them, to draw and to learn from.
        bed.host.exec("guestctl drain --yes --wait && guestctl boot --wait", timeout=600, check=True)
        guests.expect_running(count)
        busy = wait_quiet()
        took = {verb: timed(bed.host, f"guestctl {verb}") for verb in LOOKS}
        return Result("latency-status", count, {},
                      {f"{verb.split()[0]}_ms": statistics.median(each)
                       for verb, each in took.items()} | {"slowest_status_ms": took["status"][-1]},
                      busy)


def timed(host, command):
    """Milliseconds of each of many times, sorted."""
    out = host.out(f"""for _ in $(seq {STATUS_TIMES}); do
        begun=$EPOCHREALTIME; {command} >/dev/null; ended=$EPOCHREALTIME
        echo $((${{ended/./}} - ${{begun/./}})); done""", timeout=300)
    return sorted(int(line) / 1000 for line in out.split())
