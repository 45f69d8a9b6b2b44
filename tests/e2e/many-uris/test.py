# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many URIs, a libvirtd each, of which one hangs: its guests fail by the deadline, everybody else's
shut down as if nothing were. When it is there again, all come back.

By hand: GUESTD_URIS=100; GUESTD_NICE=10 leaves guestd little processor time, beside busy loops.
"""

import json
import os
from collections import Counter

from hosts import test_driver
from observe import eventually
from support import configure, expect, newest_history

KINDS = ("container",)
MANAGERS = ("guestd",)

URIS = int(os.environ.get("GUESTD_URIS", "12"))
GUESTS = 50
NICE = os.environ.get("GUESTD_NICE", "0")
BUSY = 4 if NICE != "0" else 0
HANGS = URIS // 2

CONFIG = """
[daemon]
uris = [{uris}]
[boot]
ready = "running"
max_parallel = 0
[shutdown]
stop = ["shutdown 5min", "destroy"]
"""


def watch(host, uris):
    """Keeps each libvirtd's guests alive, and what it tells of them: nobody else's word counts."""
    host.exec("".join(f"systemd-run --quiet --unit=watch-{number} "
                      f"-p StandardOutput=file:/run/told-{number} "
                      f"virsh -q -k 0 -c '{uri}' event --event lifecycle --loop\n"
                      for number, uri in enumerate(uris)), timeout=120, check=True)
    # It is subscribed when it has told something.
    host.exec("".join(f"until [ -s /run/told-{number} ]; do virsh -q -c '{uri}' "
                      "'suspend test; resume test' >/dev/null; done\n"
                      for number, uri in enumerate(uris)), timeout=300, check=True)


def shut_down(host):
    """By URI, how many guests libvirt has told to have shut down."""
    told = host.out("grep -cH 'Stopped Shutdown' /run/told-* || true")
    return {int(line.split(":")[0].rsplit("-", 1)[1]): int(line.split(":")[1])
            for line in told.splitlines()}


def running(host):
    status = host.exec("guestctl --json status")
    return json.loads(status.out)["running"] if status.rc == 0 else None


def all_up(host):
    """After a boot. What was asked of the one that hung may only now be done: then again."""
    host.exec("guestctl boot --wait", timeout=120)
    return running(host) == URIS * GUESTS


def run(context):
    host = context.managed_host()
    uris = test_driver.launch(host, URIS)
    watch(host, uris)
    test_driver.define(host, uris, GUESTS, start=True)
    if BUSY:
        host.put_file("/etc/systemd/system/guestd.service.d/nice.conf", f"[Service]\nNice={NICE}\n")
    configure(host, CONFIG.format(uris=", ".join(f'"{uri}"' for uri in uris)), network=True)
    eventually(lambda: running(host) == URIS * GUESTS, lambda: host.out("guestctl status"),
               timeout=120)
    for number in range(BUSY):
        host.exec(f"systemd-run --quiet --unit=busy-{number} sh -c 'while :; do :; done'", check=True)

    host.exec(f"systemctl kill --kill-whom=main -s STOP {test_driver.unit(HANGS)}", check=True)
    ended = host.exec("guestctl drain --yes --wait --deadline 20s", timeout=90)
    expect(ended.rc == 4, f"exit code {ended.rc}: {ended.out[-1000:]}")
    told = dict.fromkeys(range(URIS), GUESTS)
    told[HANGS] = 0
    expect(shut_down(host) == told, f"libvirt told: {shut_down(host)} "
           + host.out("tail -n 3 /run/told-*"))
    expected = {(uri, "shut-down"): GUESTS for uri in uris}
    expected[uris[HANGS], "failed"] = expected.pop((uris[HANGS], "shut-down"))
    drain, guests = newest_history(host, "drain")
    outcomes = Counter((guest["uri"], guest["outcome"]) for guest in guests)
    expect(outcomes == expected, f"guestd told: {Counter(guest['outcome'] for guest in guests)}, "
           f"{outcomes}")
    last = max(guest["ended_usec"] for guest in guests if guest["outcome"] == "shut-down")
    print(f"{URIS} URIs, one hangs: the others' {GUESTS * (URIS - 1)} guests shut down, the last "
          f"after {(last - drain['started_usec']) / 1e6:.1f} s;",
          " ".join(host.out("grep -E 'VmHWM|Threads' "
                            "/proc/$(systemctl show -P MainPID guestd)/status").split()))

    host.exec(f"systemctl kill --kill-whom=main -s CONT {test_driver.unit(HANGS)}", check=True)
    eventually(lambda: all_up(host), lambda: host.out("guestctl status"), timeout=120)
    print("it answers again: all back")
