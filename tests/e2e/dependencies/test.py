# SPDX-License-Identifier: LGPL-2.1-or-later
"""web runs on app, app on db: poweroff stops web, then app, then db; boot starts db, app, web.

`after` (order) binds web to app, `requires` (order, and not without) app to db. Each takes its time
to go down and to become ready, so that whoever does not wait is seen: no guest is asked before the
one above it is off, none started before the one below it is ready. Two others have nobody to wait
for and must not: one is off before app is asked.

Two observers, neither of them guestd: the guests' own traces say who obeyed, libvirt's events say
when each was off and when each was started.
"""

import re

from support import Fleet, configure, expect, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

READY = 1.0  # seconds, by CONFIG
CONFIG = """
[boot]
ready = "delay:1s"
[shutdown]
stop = ["shutdown 1min", "destroy"]
[[guest]]
name = "web"
after = ["ap*"]
[[guest]]
name = "app"
requires = ["db"]
"""
# Into the journal, to be read after the host is down; not stopped with the first units.
OBSERVE = ("systemd-run --quiet --unit=observer -p DefaultDependencies=no "
           "stdbuf -oL virsh event --event lifecycle --loop")
EVENT = re.compile(r"^([\d.]+) .*event 'lifecycle' for domain '?(\w+)'?: (\w+)", re.M)


def events(text, what):
    """{guest: time} of the last event of a kind."""
    return {name: float(clock) for clock, name, kind in EVENT.findall(text) if kind == what}


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    # Defined and started against the order, and alphabet and size do not help either.
    fleet = Fleet(host, [Guest("web", delay=1), Guest("db", delay=0.5, memory_mib=24),
                         Guest("app", delay=1, memory_mib=20), Guest("alone1"),
                         Guest("alone2")]).define().start()
    host.exec(OBSERVE, check=True)
    # It has begun when it sees something.
    host.exec("timeout 20 bash -c 'until virsh --quiet \"suspend alone1; resume alone1\" && "
              "journalctl -u observer | grep -q Resumed; do sleep 0.1; done'", check=True)
    host.poweroff()
    expect(set(fleet.traces().values()) == {"UAD"}, f"not all obeyed, once: {fleet.traces()}")
    told = host.journal("-u", "observer", "-o", "short-unix")
    stopped = events(told, "Stopped")
    expect(sorted(stopped) == sorted(fleet.names), f"stops seen: {stopped}, of\n{told}")
    order = sorted(("web", "app", "db"), key=stopped.get)
    expect(order == ["web", "app", "db"], f"stopped in the order {order}")
    # The guest counts its delay from the button: whoever was pressed before the one above it was
    # off would be off sooner than that.
    for above, below, delay in (("web", "app", 1), ("app", "db", 0.5)):
        took = stopped[below] - stopped[above]
        expect(took >= delay - 0.1, f"{below} was asked before {above} was off: {took:.2f} s")
    expect(max(stopped["alone1"], stopped["alone2"]) < stopped["web"],
           f"guests without an order waited for others: {stopped}")

    host.boot(wait="channel")
    host.exec("until virsh uri >/dev/null 2>&1; do :; done; " + OBSERVE, check=True)
    host.exec("timeout 60 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.05; done'; "
              "guestctl wait", timeout=120, check=True)
    fleet.wait_traces("UADU")
    told = host.journal("-u", "observer", "-b", "-o", "short-unix")
    started = events(told, "Started")
    chain = [started.get(name, 0) for name in ("db", "app", "web")]
    for below, above in zip(chain[:2], chain[1:]):
        expect(above - below >= READY, f"started before the one below was ready: {started}")
    expect(outcomes(host, "boot") == dict.fromkeys(fleet.names, "started"),
           f"boot: {outcomes(host, 'boot')}")
