# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host itself is odd: its kernel has no /proc/pressure, its clock jumps by hours in both
directions, its processor and its memory are fought over, and at last the disk that guestd keeps its
state on answers nothing but errors (device mapper's `error`).

No deadline comes too soon or too late, every guest is asked, obeys, and comes back once.

All of it takes an emulated machine three to ten minutes, more than the whole suite has left: it runs
with GUESTD_LONG=1.
"""

import os
import time

import outside
from support import Fleet, Skip, configure, expect, outcomes
from guests import Guest

KINDS = ("machine",)  # it has a clock, a memory and a kernel of its own
MANAGERS = ("guestd",)
TIMEOUT = 1200

LADDER = 20  # seconds until the deaf one is destroyed
CONFIG = f"""
[boot]
ready = "running"
max_parallel = 0
pressure = {{ io = 60, cpu = 90, memory = 40 }}
[shutdown]
stop = ["shutdown 90s", "destroy"]
[[guest]]
name = "deaf"
shutdown.stop = ["shutdown {LADDER}s", "destroy"]
"""
JUMP = "date -s @$(( $(date +%s) + {hours} * 3600 )) >/dev/null"
# As many as it takes to leave nobody a whole processor. Memory is taken until little is left, and used
# all the time. (Filled to the last page, a host without swap does nothing at all for minutes.)
LEFT = 96 << 20
HUNGRY = f"""import re
free = int(re.search(r"MemAvailable: *([0-9]+)", open("/proc/meminfo").read())[1]) * 1024 - {LEFT}
taken, piece = bytearray(max(free, 1)), b"x" * (1 << 20)
while True:
    for at in range(0, free, len(piece)):
        taken[at:at + len(piece)] = piece"""
LOAD = f"""systemd-run --quiet --unit=hungry -p OOMScoreAdjust=1000 -p Restart=always \
    -p StartLimitIntervalSec=0 python3 -c '{HUNGRY}'
until [ $(awk '/MemAvailable/ {{ print $2 }}' /proc/meminfo) -lt 250000 ]; do sleep 0.5; done
for i in 1 2 3; do
    systemd-run --quiet --unit=busy$i bash -c 'while :; do :; done'
done"""
# No guest is started into the memory that the host keeps for itself.
RELIEF = """until journalctl -q -b -t guestd --since=@{since} -o cat | grep 'waits for the host.s memory'; do
    sleep 0.5
done
! pgrep qemu-system
systemctl stop hungry"""
DYING = """systemctl stop guestd
modprobe loop && modprobe dm-mod && truncate -s 32M /var/disk
size=$((32 * 2048)) disk=$(losetup --show -f /var/disk)
dmsetup create state --table "0 $size linear $disk 0" && dmsetup mknodes
mkfs.ext4 -q /dev/mapper/state && mount /dev/mapper/state /var/lib/guestd
systemctl start guestd
timeout 100 bash -c 'until guestctl --json list | grep -q vm1; do sleep 0.2; done'
dmsetup load state --table "0 $size error" && dmsetup suspend --noflush --nolockfs state &&
    dmsetup resume state
! { touch /var/lib/guestd/probe && sync /var/lib/guestd/probe; }"""


def drain(host, fleet, during=""):
    """Returns the seconds it took, by a clock that is not the host's."""
    before = fleet.traces()
    begun = time.monotonic()
    draining = host.spawn("guestctl drain --yes --wait")
    fleet.wait_traces({name: trace + "A*" for name, trace in before.items()})
    if during:
        host.exec(during, check=True)
    draining.wait(200)
    took = time.monotonic() - begun
    for name, trace in fleet.traces().items():
        new = trace.removeprefix(before[name])
        expect(set(new) == {"A"} if name == "deaf" else new.rstrip("D") + "D" == new,
               f"{name} has traced {new}")
    expect(not outside.qemus(host), f"left: {outside.qemus(host)}")
    return took


def boot(host, fleet, during="true"):
    before = fleet.traces()
    booting = host.spawn("guestctl boot --wait")
    host.exec(during, check=True)
    expect(booting.wait(200).rc == 0, f"{outcomes(host, 'boot')}")
    fleet.wait_traces({name: trace + "U" for name, trace in before.items()})
    expect(outside.qemus(host) == dict.fromkeys(fleet.names, 1), f"{outside.qemus(host)}")


def clock_jumps(host, fleet):
    took = drain(host, fleet, f"{JUMP.format(hours=5)}; sleep 1; {JUMP.format(hours=-11)}")
    told = outcomes(host, "drain")
    expect(told == {name: "destroyed" if name == "deaf" else "shut-down" for name in fleet.names},
           f"outcomes: {told}")
    expect(LADDER <= took < 90, f"a step of {LADDER} s was over after {took:.1f} s")
    boot(host, fleet, JUMP.format(hours=-3))
    host.exec(JUMP.format(hours=9), check=True)
    print(f"clock +5 h and -11 h: the step of {LADDER} s ended after {took:.1f} s; all back")


def load(host, fleet):
    life = outside.main_pid(host)
    host.exec(LOAD, timeout=100, check=True)
    took = drain(host, fleet)
    left = int(host.out("awk '/MemAvailable/ { print $2 }' /proc/meminfo")) >> 10
    boot(host, fleet, RELIEF.format(since=host.out("date +%s")))
    host.exec("systemctl stop busy1 busy2 busy3", check=True)
    expect(outside.main_pid(host) == life, "guestd did not live through it")
    print(f"processor fought over, {left} MiB left: drained in {took:.1f} s; nobody started before "
          "there was memory again, then all back", flush=True)


def dying_disk(host, fleet):
    host.exec(DYING, check=True)
    before = fleet.traces()
    host.poweroff()
    said = host.journal("-b", "-t", "guestd", "-o", "cat")
    expect("the resume list could not be saved" in said, f"nobody said so: {said[-2000:]}")
    after = fleet.traces()
    for name, trace in after.items():
        new = trace.removeprefix(before[name])
        expect(set(new) == {"A"} if name == "deaf" else new.rstrip("D") + "D" == new,
               f"{name} has traced {new}")
    host.boot()
    host.exec("guestctl wait", timeout=60)
    fleet.wait_traces({name: trace + "U" for name, trace in after.items()})
    expect(outside.qemus(host) == dict.fromkeys(fleet.names, 1), f"{outside.qemus(host)}")
    print("nothing but EIO from the state's disk: all asked, all back")


def run(context):
    if not os.environ.get("GUESTD_LONG"):
        raise Skip("takes an emulated machine up to ten minutes: GUESTD_LONG=1")
    host = context.host()
    host.boot(kernel_args=("psi=0",))
    expect(host.exec("test -e /proc/pressure").rc == 1, "the kernel has pressure figures")
    context.manager.install(host)
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest("vm1"), Guest("vm2"), Guest("deaf", deaf=True)]).define()
    host.exec("timeout 100 bash -c 'until guestctl --json list | grep -q deaf; do sleep 0.2; done'; "
              f"guestctl boot --wait {' '.join(fleet.names)}", check=True)
    fleet.wait_traces("U")
    print("no /proc/pressure: started all the same")
    clock_jumps(host, fleet)
    load(host, fleet)
    dying_disk(host, fleet)
