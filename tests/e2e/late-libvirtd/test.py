# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd comes late to a host that boots: twice, in the two ways that a client sees.

Once its socket is there and nobody answers, as while it starts guests itself, after it has told
systemd that it is ready; once there is no socket at all. guestd tries on, `status` says since when there is no answer, and the boot run waits.
It begins when libvirtd answers, and ends without a failure.
"""

import json

from observe import eventually
from support import Fleet, expect, newest_run

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[daemon]
connect_timeout = "2s"
[boot]
ready = "running"
"""
SILENT = "[Service]\nExecStartPost=/bin/kill -STOP $MAINPID\n"
DROP_IN = "/etc/systemd/system/libvirtd.service.d/silent.conf"
UNITS = "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
ANSWERS = "timeout 60 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.05; done'"


def uri(host):
    return json.loads(host.out("guestctl --json status"))["uris"][0]


def waits(host, fleet):
    """Until guestd has tried in vain several times; returns what it says of the URI then."""
    host.exec(ANSWERS, check=True)
    told = eventually(lambda: (seen := uri(host))["attempts"] >= 3 and seen,
                      lambda: f"after no attempts in vain: {uri(host)}")
    expect(not told["connected"] and told["reason"], f"told of a silent libvirtd: {told}")
    now = json.loads(host.out("guestctl --json status"))
    expect(0 < told["since_usec"] < now["now_usec"], f"since when is not told: {told}")
    expect("not connected for" in host.out("guestctl status"), host.out("guestctl status"))
    expect("active_run" in now, f"the boot run has ended without libvirt: {now}")
    expect(set(fleet.traces().values()) == {fleet.traces()["vm1"]}, f"{fleet.traces()}")
    return told


def comes_up(host, fleet, traces):
    host.exec("guestctl wait", timeout=90, check=True)
    fleet.wait_traces(traces)
    record, guests = newest_run(host, "boot")
    expect(record["clean"], f"not clean: {record}")
    expect({name: guest["outcome"] for name, guest in guests.items()}
           == dict.fromkeys(fleet.names, "started"), f"outcomes: {guests}")
    expect(uri(host)["connected"], f"{uri(host)}")


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    fleet = Fleet.of(host, 3, autostart=True).define()
    host.put_file(DROP_IN, SILENT)
    host.poweroff()

    host.boot(wait="channel")
    waits(host, fleet)
    host.exec("systemctl kill -s CONT libvirtd", check=True)
    comes_up(host, fleet, "U")

    host.exec(f"rm {DROP_IN} && systemctl daemon-reload && systemctl disable -q {UNITS}",
              check=True)
    host.poweroff()
    host.boot(wait="channel")
    waits(host, fleet)
    host.exec("systemctl start libvirtd.service", check=True)
    comes_up(host, fleet, "UADU")
