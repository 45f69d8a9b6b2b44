# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power fails in the middle of a boot run, when about half of twenty guests are up.

The next boot brings all twenty back, each once: those that wait for their turn, those that were just
starting, and those that had come up, whether they start at every boot or were only on the list of
what the last drain took down.
"""

from observe import eventually
from support import Fleet, configure, expect, newest_run

KINDS = ("container",)
MANAGERS = ("guestd",)

COUNT = 20
CONFIG = """
[boot]
ready = "delay:1s"
max_parallel = 2
[[guest]]
name = "*"
start.retry = { attempts = 5, backoff = "500ms", max_backoff = "2s" }
"""
ANSWERS = "timeout 60 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.05; done'"


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    listed = Fleet.of(host, COUNT // 2, prefix="listed").define()
    flagged = Fleet.of(host, COUNT // 2, prefix="flagged", autostart=True).define()
    fleet = Fleet(host, listed.guests + flagged.guests)
    listed.start()
    host.poweroff()
    before = fleet.traces()
    expect(all(before[name] == "UAD" for name in listed.names), f"before: {before}")

    def came_up():
        return [name for name, trace in fleet.traces().items() if trace == before[name] + "U"]

    host.boot(wait="channel")
    # Some of each kind are up, and some of each are not.
    eventually(lambda: len(came_up()) >= COUNT // 2, lambda: f"up: {came_up()}")
    host.kill()
    cut = fleet.traces()
    up = [name for name in fleet.names if cut[name] != before[name]]
    print(f"{len(up)} of {COUNT} were up when the power failed")
    expect(set(up) & set(listed.names), f"none of the list was up: {up}")
    expect(set(fleet.names) - set(up), "all were up already: the test tests nothing")

    host.boot(wait="channel")
    host.exec(f"{ANSWERS}; guestctl wait", timeout=120, check=True)
    _, guests = newest_run(host, "boot")
    expect(sorted(guests) == sorted(fleet.names),
           f"lost: {sorted(set(fleet.names) - set(guests))}; came up before: {up}")
    fleet.wait_traces({name: trace + "U" for name, trace in cut.items()})
    expect({guest["outcome"] for guest in guests.values()} == {"started"}, f"outcomes: {guests}")
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
