# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who watches the bus while the host goes down and comes up hears each run in order: RunStarted, of
each guest its phases and then its end, RunEnded; before it every outcome, after it nothing. Progress
comes at most five times a second. What clients are told is what the store has.

The watcher is `busctl monitor`, a unit that starts before guestd and stops after it, so that it hears
the drain of a host that goes down and the boot run of the next boot from the first word to the last."""

import json

from guests import Guest
from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

LOG = "/var/log/bus.json"
MOST_PER_SECOND = 5
CONFIG = """
[boot]
ready = "delay:1s"
[[guest]]
name = "deaf"
shutdown.stop = ["shutdown 1s", "save 1min", "destroy"]
[[guest]]
name = "web"
after = ["db"]
"""
# It writes to a file of the host, which outlives a boot; busctl flushes after every message.
WATCHER = f"""[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket dbus.service local-fs.target
Before=guestd.service guestd-autostart.service
[Service]
ExecStart=busctl --system --json=short --match="type='signal',sender='org.guestd1'" \\
    monitor
StandardOutput=append:{LOG}
[Install]
WantedBy=multi-user.target
"""
# What is heard of a guest, in its order.
DRAINED = {
    "db": ["shutdown", "done shut-down"],
    "web": ["shutdown", "done shut-down"],
    "deaf": ["shutdown", "save", "done saved"],
}
STARTED = {
    "db": ["start", "done started"],
    "web": ["start", "done started"],
    "deaf": ["restore", "done restored"],
}


def heard(host):
    """{run: [(member, arguments)]} of the Manager's signals, in the order of their arrival."""
    runs = {}
    for line in host.read_file(LOG).decode().splitlines():
        if not line.startswith("{"):
            continue  # busctl's own first line
        message = json.loads(line)
        if message.get("interface") == "org.guestd1.Manager" and message["type"] == "signal":
            run, *rest = message["payload"]["data"]
            told = [("GuestChanged", change) for change in rest[0]] \
                if message["member"] == "GuestsChanged" else [(message["member"], rest)]
            runs.setdefault(run, []).extend(told)
    return runs


def guests_of(signals):
    """{guest: what was heard of it}"""
    guests = {}
    for member, arguments in signals:
        if member == "GuestChanged":
            name, what, outcome = arguments[2:5]
            guests.setdefault(name, []).append(f"{what} {outcome}".strip())
    return guests


def check(host, number, kind, trigger, expected, after):
    """Holds what was heard of a run against what must be, and against the store."""
    signals = heard(host)[number]
    members = [member for member, _ in signals]
    expect(signals[0] == ("RunStarted", [kind, trigger]), f"begins with {signals[0]}")
    expect(signals[-1] == ("RunEnded", [True]), f"ends with {signals[-1]}")
    expect(members.count("RunStarted") == members.count("RunEnded") == 1, f"heard {members}")
    expect(guests_of(signals) == expected, f"of the guests: {guests_of(signals)}")
    order = [arguments[2:4] for member, arguments in signals if member == "GuestChanged"]
    for earlier, later in after:
        expect(order.index(earlier) < order.index(later), f"{later} before {earlier}: {order}")

    told = json.loads(host.out(f"guestctl --json history {number}"))
    stored = {guest["name"]: f"done {guest['outcome']}" for guest in told["guests"]}
    expect(stored == {name: what[-1] for name, what in guests_of(signals).items()},
           f"the store has {stored}")
    seconds = (told["run"]["ended_usec"] - told["run"]["started_usec"]) / 1e6
    progress = members.count("Progress")
    expect(1 <= progress <= MOST_PER_SECOND * seconds + 1,
           f"Progress came {progress} times in {seconds:.2f} s")


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.put_file("/etc/systemd/system/bus-watcher.service", WATCHER)
    host.exec("systemctl reload guestd && systemctl enable -q --now bus-watcher && "
              f"timeout 20 bash -c 'until grep -q Monitoring {LOG}; do sleep 0.1; done'", check=True)
    fleet = Fleet(host, [Guest("db"), Guest("web"), Guest("deaf", deaf=True)]).define().start()

    host.reboot()
    host.exec("guestctl wait --ready db web deaf", timeout=60, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    runs = {run["kind"]: run["run"] for run in json.loads(host.out("guestctl --json history"))[:2]}
    check(host, runs["drain"], "drain", "reboot", DRAINED,
          [(["web", "done"], ["db", "shutdown"])])
    check(host, runs["boot"], "boot", "host-boot", STARTED, [(["db", "done"], ["web", "start"])])
