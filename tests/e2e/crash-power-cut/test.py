# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power fails at a random instant of a drain, and at a random instant of a boot run: what the
kernel had not flushed is gone. Each time the next boot brings back every guest, each once.

GUESTD_CUTS says how often, GUESTD_SEED makes the instants the same again.
"""

import os
import random
import time

import outside
from observe import eventually
from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("machine",)
MANAGERS = ("guestd",)
TIMEOUT = 7200

CUTS = int(os.environ.get("GUESTD_CUTS", "1"))
SEED = int(os.environ.get("GUESTD_SEED", "0")) or random.randrange(1, 1 << 30)
CONFIG = """
[boot]
ready = "delay:1s"
max_parallel = 2
[shutdown]
stop = ["shutdown 40s", "destroy"]
[[guest]]
name = "kept"
shutdown.stop = ["save 40s", "destroy"]
"""
ANSWERS = "timeout 250 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.2; done'"


def all_back(host, fleet, what):
    host.exec(f"{ANSWERS}; guestctl wait", timeout=120)
    eventually(lambda: outside.qemus(host) == dict.fromkeys(fleet.names, 1),
               lambda: f"{what}: processes {outside.qemus(host)}; {newest_run(host, 'boot')}")
    expect(fleet.running() == fleet.names, f"{what}: running {fleet.running()}")
    expect(not outside.resume_list(host), f"{what}: on the list: {outside.resume_list(host)}")
    told = {name: guest["outcome"] for name, guest in newest_run(host, "boot")[1].items()}
    host.exec("sync", check=True)  # so that the next cut does not take these traces back
    print(f"{what}: all {len(fleet.names)} back, told as {told}", flush=True)
    return told


def each_once(fleet, before, told):
    """A guest writes U as it comes up cold, and nothing as it is restored."""
    wanted = {name: before[name].count("U") + (outcome == "started")
              for name, outcome in told.items()}
    expect(set(told.values()) <= {"started", "restored"}, f"told as {told}")
    eventually(lambda: {name: trace.count("U") for name, trace in fleet.traces().items()} == wanted,
               lambda: f"told as {told}; {before}, then {fleet.traces()}")


def cut_while_going_down(host, fleet, chance):
    """Only once a guest has been asked: what ran before a drain has begun is nobody's promise."""
    before = fleet.traces()
    host.request("poweroff")
    eventually(lambda: any(fleet.traces()[name] != before[name] for name in fleet.names),
               fleet.traces, timeout=250)
    wait = chance.uniform(0, 1.5)
    time.sleep(wait)  # the random instant itself
    host.kill()
    host.boot(wait="channel")
    return f"power cut {wait:.2f} s into the drain"


def cut_while_coming_up(host, fleet, chance):
    host.poweroff()
    host.boot(wait="channel")
    host.exec(ANSWERS, check=True)
    wait = chance.uniform(0, 8)
    time.sleep(wait)
    up = len(outside.qemus(host))
    host.kill()
    host.boot(wait="channel")
    return f"power cut {wait:.2f} s into the boot run, {up} guests up"


def run(context):
    chance = random.Random(SEED)
    print(f"{CUTS} power cuts (GUESTD_SEED={SEED})")
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest("vm1", delay=1), Guest("vm2"), Guest("kept", memory_mib=64, dirty_mib=32),
                         Guest("flagged", autostart=True)]).define().start()
    host.exec("sync", check=True)  # the guests themselves are not what is to be lost
    first = chance.randrange(2)
    for cut in range(CUTS):
        going_down, before = (first + cut) % 2 == 0, fleet.traces()
        what = (cut_while_going_down if going_down else cut_while_coming_up)(host, fleet, chance)
        told = all_back(host, fleet, f"{cut + 1}: {what}")
        if going_down:
            each_once(fleet, before, told)
