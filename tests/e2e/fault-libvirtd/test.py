# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to libvirt while guests are taken down, and while they come up: libvirtd is frozen for
a while, killed, restarted in the middle of a save, virtlogd is restarted; then it is frozen for ever,
and the host is switched off.

Nobody is forgotten, nobody is asked twice needlessly or started twice, a save that libvirt gave up is
made again.
For ever frozen, the drain ends by its deadline all the same, says whom it could not reach, and the
next boot brings them back.

GUESTD_FREEZE says for how many seconds it is frozen first.
"""

import os
import time

import outside
import slow_disk
from observe import eventually
from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

MIB = 1 << 20
FREEZE = int(os.environ.get("GUESTD_FREEZE", "12"))  # seconds
DEADLINE = 10
CONFIG = f"""
[boot]
ready = "running"
max_parallel = 1
[shutdown]
stop = ["shutdown {FREEZE + 30}s", "destroy"]
resend = "{FREEZE + 20}s"
deadline = "{FREEZE + 60}s"
[[guest]]
name = "kept*"
shutdown.stop = ["save 40s", "destroy"]
"""
# Of four that come up, one after another; two more were never down.
HALF_UP = """until [ $(pgrep -c qemu-system) -ge 4 ]; do sleep 0.02; done
[ $(pgrep -c qemu-system) -lt 6 ]"""


class World:
    """The fleet, as it goes down and up again around each fault."""

    def __init__(self, host):
        self.host = host
        self.asked = Fleet.of(host, 4, prefix="asked", delay=3)  # libvirt fails meanwhile
        self.kept = Fleet.of(host, 2, prefix="kept", memory_mib=64, dirty_mib=48)
        self.all = Fleet(host, self.asked.guests + self.kept.guests)

    def drain(self, fleet, fault):
        """Drains a fleet; `fault()` once all of it has been asked. Returns {guest: new trace}."""
        before = self.all.traces()
        draining = self.host.spawn(f"guestctl drain --yes --wait {' '.join(fleet.names)}")
        fault(before)
        result = draining.wait(FREEZE + 90)
        expect(result.rc == 0, f"the drain: {result}")
        expect(sorted(outside.qemus(self.host)) == sorted(set(self.all.names) - set(fleet.names)),
               f"processes: {outside.qemus(self.host)}")
        return {name: trace.removeprefix(before[name]) for name, trace in self.all.traces().items()}

    def boot(self, fault="true"):
        """Brings all back; meanwhile, `fault` is carried out."""
        before = self.all.traces()
        booting = self.host.spawn("guestctl boot --wait")
        self.host.exec(fault, timeout=FREEZE + 60, check=True)
        result = booting.wait(FREEZE + 90)
        expect(result.rc == 0, f"the boot: {result}")
        expect(outside.qemus(self.host) == dict.fromkeys(self.all.names, 1),
               f"processes: {outside.qemus(self.host)}")
        self.all.wait_traces({name: trace + "U" * trace.endswith("D")
                              for name, trace in before.items()})

    def wait_asked(self, before):
        self.asked.wait_traces({name: before[name] + "A" for name in self.asked.names})


def each_once(world, fault, what):
    """Guests that were asked before the fault are not asked again after it; nor does the same fault
    start anybody twice, in the middle of the boot that follows."""
    def then(before):
        world.wait_asked(before)
        world.host.exec(fault, timeout=FREEZE + 60, check=True)
    traces = world.drain(world.asked, then)
    expect([traces[name] for name in world.asked.names] == ["AD"] * 4, f"{what}: {traces}")
    expect(outcomes(world.host, "drain") == dict.fromkeys(world.asked.names, "shut-down"),
           f"{what}: {newest_run(world.host, 'drain')}")
    world.boot(f"{HALF_UP} && {{ {fault}; }}")
    print(f"{what}, while they go down, and while they come up: asked once each, all back once each",
          flush=True)


def restarted_while_saving(world):
    """libvirt ends the save with itself, and the guest runs on: it is saved again."""
    def then(_before):
        eventually(lambda: len([size for size in slow_disk.images(world.host).values()
                                if size > 4 * MIB]) == 2, lambda: slow_disk.images(world.host))
        world.host.exec("systemctl restart libvirtd", check=True)
    traces = world.drain(world.kept, then)
    expect(set(traces.values()) == {""}, f"saved, not asked: {traces}")
    expect(outcomes(world.host, "drain") == dict.fromkeys(world.kept.names, "saved"),
           f"outcomes: {newest_run(world.host, 'drain')}")
    whole = slow_disk.images(world.host)
    expect(len(whole) == 2 and min(whole.values()) > 48 * MIB, f"images: {whole}")
    world.boot()
    expect(set(world.kept.traces().values()) == {"U"}, f"restored: {world.kept.traces()}")
    print("restarted while saving: both saved and restored")


def frozen_for_ever(world):
    """The host is switched off, and nobody can be asked."""
    configure(world.host, f"{CONFIG}\n[shutdown.on.poweroff]\ndeadline = \"{DEADLINE}s\"\n")
    before = world.all.traces()
    world.host.exec("systemctl kill --kill-whom=main -s STOP libvirtd", check=True)
    begun = time.monotonic()
    world.host.poweroff()
    took = time.monotonic() - begun
    said = world.host.journal("-u", "guestd", "-b", "-o", "cat")
    expect("not clean" in said or "failed" in said, f"nobody said so: {said[-2000:]}")
    expect("timed out" not in said, f"systemd had to kill it: {said[-2000:]}")
    expect(world.all.traces() == before, f"{world.all.traces()}")
    world.host.boot()
    world.host.exec("guestctl wait", timeout=90)
    run, guests = newest_run(world.host, "drain")
    expect(run["ended_usec"] - run["started_usec"] <= DEADLINE * 1e6 * 1.05, f"the deadline: {run}")
    expect({guest["outcome"] for guest in guests.values()} == {"failed"} and not run["clean"],
           f"told as: {guests}")
    world.all.wait_traces({name: trace + "U" for name, trace in before.items()})
    expect(outside.qemus(world.host) == dict.fromkeys(world.all.names, 1),
           f"processes: {outside.qemus(world.host)}")
    print(f"frozen for ever: off after {took:.1f} s (deadline {DEADLINE} s), all back")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    slow_disk.install(host, 16 * MIB)
    world = World(host)
    world.all.define().start()
    each_once(world, f"systemctl kill --kill-whom=main -s STOP libvirtd; sleep {FREEZE}; "
                     "systemctl kill --kill-whom=main -s CONT libvirtd", f"frozen for {FREEZE} s")
    # At once: libvirt 9.0 never lets go of a guest that has no process yet when it dies.
    each_once(world, "pkill -KILL -x libvirtd", "killed")
    each_once(world, "systemctl restart virtlogd", "virtlogd restarted")
    restarted_while_saving(world)
    frozen_for_ever(world)
