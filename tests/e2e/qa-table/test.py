# SPDX-License-Identifier: LGPL-2.1-or-later
"""The well-known table of libvirt-guests: four guests, three at a time or one after the other, with
300 s or one second for each.

There the fourth guest of "three at a time, one second" is never asked. Here every guest is asked in
each of the four, with its outcome as the ladder says: obedient ones are shut down, deaf ones saved,
which is the step behind. And where a hard deadline of two seconds leaves no time for any of it,
every deaf guest has still been asked before it is destroyed.
"""

from support import Fleet, configure, expect, newest_run, outcomes

KINDS = ("container",)
MANAGERS = ("guestd",)

# (PARALLEL_SHUTDOWN, SHUTDOWN_TIMEOUT, guests are deaf)
TABLE = [(3, 300, False), (1, 300, False), (3, 1, True), (1, 1, True)]
HARD = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 5min", "destroy"]
parallel_shutdown = {parallel}
deadline = "{deadline}"
"""
SAVE_DEAF = """
[[guest]]
name = "deaf*"
shutdown.stop = ["shutdown 1s", "save", "destroy"]
"""
GENTLE = """
[boot]
ready = "running"
"""


def drained(host, fleet, what):
    """Drains these guests. Returns {name: what its trace has grown by}."""
    before = fleet.traces()
    host.exec(f"guestctl drain --yes --wait {' '.join(fleet.names)}", timeout=120)
    left = fleet.running()
    expect(not left, f"{what}: the run has ended, still running: {left}")
    return {name: trace[len(before[name]):] for name, trace in fleet.traces().items()}


def bring_back(host, fleet):
    host.exec(f"guestctl boot --wait {' '.join(fleet.names)}", timeout=60, check=True)
    running = fleet.running()
    expect(running == fleet.names, f"brought back only {running}")


def by_sysconfig(host, obedient, deaf):
    configure(host, GENTLE)
    for parallel, seconds, is_deaf in TABLE:
        what = f"parallel {parallel}, {seconds} s"
        host.put_file("/etc/default/guestd", f"PARALLEL_SHUTDOWN={parallel}\n"
                                             f"SHUTDOWN_TIMEOUT={seconds}\n")
        host.exec("systemctl reload guestd", check=True)
        fleet = deaf if is_deaf else obedient
        grown = drained(host, fleet, what)
        came_out = outcomes(host, "drain")
        if is_deaf:
            expect(all("A" in trace and "D" not in trace for trace in grown.values()),
                   f"{what}: not everyone was asked: {grown}")
            expect(came_out == dict.fromkeys(fleet.names, "saved"), f"{what}: {came_out}")
        else:
            expect(set(grown.values()) == {"AD"}, f"{what}: not all obeyed: {grown}")
            expect(came_out == dict.fromkeys(fleet.names, "shut-down"), f"{what}: {came_out}")
        bring_back(host, fleet)
    host.put_file("/etc/default/guestd", "")


def by_hard_deadline(host, deaf):
    for parallel in (3, 1):
        what = f"parallel {parallel}, deadline 2 s"
        configure(host, HARD.format(parallel=parallel, deadline="2s"))
        grown = drained(host, deaf, what)
        _, guests = newest_run(host, "drain")
        expect(all("A" in trace for trace in grown.values()),
               f"{what}: not everyone was asked: {grown}")
        expect({guest["outcome"] for guest in guests.values()} == {"destroyed"}
               and sorted(guests) == deaf.names, f"{what}: {guests}")
        expect(all("shutdown: no effect" in guest["cause"] for guest in guests.values()),
               f"{what}: the causes do not say why: {guests}")
        bring_back(host, deaf)


def run(context):
    host = context.managed_host()
    obedient = Fleet.of(host, 4).define().start()
    deaf = Fleet.of(host, 4, prefix="deaf", deaf=True).define().start()
    by_sysconfig(host, obedient, deaf)

    # Three at a time, and the host really goes down.
    configure(host, HARD.format(parallel=3, deadline="2min") + SAVE_DEAF)
    before = obedient.traces()
    host.poweroff()
    expect(obedient.traces() == {name: trace + "AD" for name, trace in before.items()},
           f"not all obeyed at poweroff: {obedient.traces()}")
    host.boot()
    host.exec("guestctl wait", timeout=60, check=True)
    expect(outcomes(host, "drain") == {**dict.fromkeys(obedient.names, "shut-down"),
                                       **dict.fromkeys(deaf.names, "saved")},
           f"poweroff: {outcomes(host, 'drain')}")
    by_hard_deadline(host, deaf)
