# SPDX-License-Identifier: LGPL-2.1-or-later
"""Autostart guests start exactly once, at most `max_parallel` at a time, by guestd and not by
libvirtd; and by libvirtd again when guestd is disabled."""

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

LIMIT = 3
HOLD = 2  # seconds from "started" to "ready"
CONFIG = f"""
[boot]
max_parallel = {LIMIT}
ready = "delay:{HOLD}s"
"""


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    fleet = Fleet.of(host, 9, autostart=True).define()
    host.poweroff()

    host.boot(wait="channel")
    # libvirtd's own log of who asked it for what would be no observer: events are.
    events = host.spawn("until virsh uri >/dev/null 2>&1; do sleep 0.05; done; "
                        "exec virsh event --event lifecycle --loop --timestamp")
    host.exec("timeout 60 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.05; done'; "
              "guestctl wait", timeout=120, check=True)
    events.close()
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    expect(set(fleet.traces().values()) == {"U"}, f"started more than once: {fleet.traces()}")
    flags = host.out("virsh list --autostart --all --name").split()
    expect(sorted(flags) == sorted(fleet.names), f"`virsh autostart` lost its meaning: {flags}")

    starts = host.out("journalctl -b -u guestd -o json GUESTD_STEP=start | "
                      "sed -E 's/.*\"__MONOTONIC_TIMESTAMP\":\"([0-9]+)\".*/\\1/'").split()
    starts = sorted(int(start) / 1e6 for start in starts)
    expect(len(starts) == 9, f"guestd started {len(starts)} of 9")
    # Of any four starts in a row, the first must have been ready before the fourth began.
    for first, fourth in zip(starts, starts[LIMIT:]):
        expect(fourth - first >= HOLD, f"more than {LIMIT} at a time: {starts}")

    # Without guestd libvirt does it again: nobody's guests stay down for nobody.
    host.exec("systemctl disable guestd", check=True)
    host.poweroff()
    host.boot()
    fleet.wait_traces("UADU", timeout=60)
