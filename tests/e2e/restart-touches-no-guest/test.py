# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service is restarted, in the middle of nothing and of a boot run: no guest is touched, the
boot run completes once, no guest is started twice, and what an admin stopped stays stopped."""

import json
import time

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
max_parallel = 2
ready = "delay:1s"
"""


def pids(host):
    """{guest: QEMU's process id}: who was restarted has another."""
    return dict(line.split() for line in host.out(
        "for pid in /run/libvirt/qemu/*.pid; do echo $(basename $pid .pid) $(<$pid); done"
    ).splitlines())


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.exec("systemctl restart guestd && guestctl wait", check=True)
    fleet = Fleet.of(host, 8, autostart=True).define().start()

    before = pids(host)
    begin = time.monotonic()
    host.exec("systemctl restart guestd", check=True)
    host.exec("systemctl stop guestd && systemctl start guestd", check=True)
    took = time.monotonic() - begin
    expect(pids(host) == before, "a restart of the service touched guests")
    expect(took < 8, f"two stops of the service took {took:.1f} s")

    # In the middle of a boot run: two guests at a time, a second each, so 4 s in all.
    host.poweroff()
    host.boot()
    host.exec("systemctl restart guestd", check=True)
    host.exec("systemctl kill -s KILL guestd", check=True)
    host.exec("timeout 30 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.1; done'",
              check=True)
    host.exec("guestctl wait", timeout=120, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    fleet.wait_traces("UADU", timeout=30)
    runs = json.loads(host.out("guestctl --json history"))
    boots = [run for run in runs if run["kind"] == "boot" and run["trigger"] == "host-boot"]
    expect(len(boots) == 2, f"one boot run per host boot, not {boots}")

    host.exec("virsh shutdown vm1 && timeout 20 bash -c "
              "'until [ \"$(virsh domstate vm1)\" = \"shut off\" ]; do sleep 0.1; done'",
              check=True)
    host.exec("systemctl restart guestd && guestctl wait", check=True)
    expect("vm1" not in fleet.running(), "a guest that the admin stopped was started again")
