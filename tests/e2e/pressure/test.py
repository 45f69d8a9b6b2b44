# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host is too busy, then has too little memory: no guest is started meanwhile, `status` names
the reason, and all goes on by itself when it is over.

What the kernel tells is replaced, for guestd alone, by files of the same form: load that is made
would depend on what else this machine does.
"""

from observe import eventually, wait_known
from support import Fleet, configure, expect, held, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
pressure = { io = 60, cpu = 90, memory = 40 }
min_free_memory = "512MiB"
"""
QUIET = 0.5
# In guestd's own view of the file system, which has a /proc of its own; read-only, as the kernel's
# file takes a trigger that is written into it, and this one would be overwritten.
REPLACE = """set -e; mkdir -p /run/told; cp /proc/meminfo /run/told/meminfo
for file in pressure/io pressure/cpu pressure/memory meminfo; do
    touch /run/told/${file#*/}
    nsenter --target $(pidof guestd) --mount sh -c "
        mount --bind /run/told/${file#*/} /proc/$file && mount -o remount,bind,ro /proc/$file"
done"""


def press(host, **percent):
    for kind in ("io", "cpu", "memory"):
        value = percent.get(kind, QUIET)
        line = f"avg10={value:.2f} avg60={value:.2f} avg300={value:.2f} total=1000\n"
        host.put_file(f"/run/told/{kind}", f"some {line}full {line}")


def leave_memory(host, mib):
    host.exec(f"sed 's/^MemAvailable:.*/MemAvailable: {mib * 1024} kB/' /proc/meminfo "
              ">/run/told/meminfo", check=True)


def held_by_pressure(host, kind, word):
    """A boot run that holds both its guests while one pressure is high."""
    fleet = Fleet.of(host, 2, prefix=kind).define()
    wait_known(fleet)
    press(host, **{kind: 95})
    host.exec(f"guestctl boot '{kind}*'", check=True)
    eventually(lambda: all(word in held(host).get(name, "") for name in fleet.names),
               lambda: f"{kind} pressure; held: {held(host)}")
    status = host.out("guestctl status")
    expect(word in status, f"status does not name the pressure:\n{status}")
    expect(set(fleet.states().values()) == {"shut off"}, f"under {kind}: {fleet.states()}")
    press(host)
    host.exec("guestctl wait", timeout=60, check=True)
    expect(outcomes(host, "boot") == dict.fromkeys(fleet.names, "started"),
           f"after {kind}: {outcomes(host, 'boot')}")


def held_by_memory(host):
    """There is room for the small guest, and not for the large one."""
    fleet = Fleet(host, [Guest("large", memory_mib=256), Guest("small", memory_mib=16)]).define()
    wait_known(fleet)
    leave_memory(host, 512 + 64)
    host.exec("guestctl boot large small", check=True)
    eventually(lambda: "memory" in held(host).get("large", ""), lambda: f"held: {held(host)}")
    Fleet(host, [Guest("small")]).wait_traces("U")
    expect(fleet.states()["large"] == "shut off", f"without room for it: {fleet.states()}")
    expect("memory" in host.out("guestctl status"), host.out("guestctl status"))
    leave_memory(host, 4096)
    host.exec("guestctl wait", timeout=60, check=True)
    expect(outcomes(host, "boot") == dict.fromkeys(fleet.names, "started"),
           f"with memory again: {outcomes(host, 'boot')}")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    host.exec(REPLACE, check=True)
    press(host)
    for kind, word in (("io", "I/O"), ("cpu", "CPU"), ("memory", "memory")):
        held_by_pressure(host, kind, word)
    held_by_memory(host)
