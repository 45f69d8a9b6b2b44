# SPDX-License-Identifier: LGPL-2.1-or-later
"""guestd has no network until something needs one, and says so when it lacks it.

The installed unit's exposure, as systemd counts it, is at most 1.5. A `tcp:` probe in the
configuration opens the network with a daemon-reload and a restart, one in a guest's metadata with
the example of the package; before that both are told with the way out, and a probe fails. A
configuration that is refused opens it too; one that is whole again closes it. No guest is touched. A
boot finds by itself what is needed, and the administrator has the last word.
"""

import re

import observe
from guests import Guest
from support import Fleet, expect, newest_run

KINDS = ("container",)
MANAGERS = ("guestd",)

MOST_EXPOSED = 1.5
LISTEN = "127.0.0.1:7777"  # the host's own: a sandbox without the network has another 127.0.0.1
LISTENER = """import socket
server = socket.create_server(("127.0.0.1", 7777))
while True:
    server.accept()
"""
CONFIG = "/etc/guestd/guestd.toml.d/50-probe.toml"
PROBE = f"""
[boot]
ready_timeout = "10s"
[[guest]]
name = "probed"
start.ready = "tcp:{LISTEN}"
"""
# A port only: a guest's metadata names no host.
METADATA = '<policy><set key="start.ready" value="tcp:22"/></policy>'
DROP_IN = "/etc/systemd/system/guestd.service.d"
UNITS = ("guestd", "guestd-finish")
WAY_OUT = '"systemctl daemon-reload", then "systemctl restart guestd"'


def has_network(host):
    """What systemd gives the two units, which must be the same."""
    told = {host.out(f"systemctl show --value -p PrivateNetwork {unit}").strip() for unit in UNITS}
    expect(len(told) == 1, f"{UNITS} do not have the same sandbox")
    return told == {"no"}


def stands_by(host, with_network):
    """Whether the process that waits to finish a drain is there, and has the network or not."""
    script = "readlink /proc/1/ns/net /proc/$(systemctl show -P MainPID guestd-finish)/ns/net"
    told = host.exec(script).out.split()
    return len(told) == 2 and (told[0] == told[1]) == with_network


def expect_to_stand_by(host, with_network):
    """guestd has it restarted some seconds after its own start."""
    observe.eventually(lambda: stands_by(host, with_network),
                       lambda: "the process that waits to finish a drain has the old sandbox")


def restart(host):
    host.exec("systemctl daemon-reload && systemctl restart guestd && timeout 30 bash -c "
              "'until guestctl status >/dev/null 2>&1; do sleep 0.1; done'", timeout=60, check=True)


def boot(host, name):
    """How the guest's start ended: its cause, "" when its probe held."""
    host.exec(f"guestctl drain --yes --wait {name}; guestctl boot --wait {name}", timeout=90)
    told = newest_run(host, "boot")[1][name]
    expect(told["outcome"] == "started", f"{name}: {told}")
    return told.get("cause", "")


def warned(host, *words):
    """Whether `guestctl status` says all this."""
    status = " ".join(host.exec("guestctl status").out.split())
    return all(word in status for word in words)


def by_configuration(host):
    host.put_file(CONFIG, PROBE)
    host.exec("systemctl reload guestd", check=True)
    expect(warned(host, "50-probe.toml:6", f'"tcp:{LISTEN}" needs the network', WAY_OUT),
           f"no warning of a sandbox without the network: {host.exec('guestctl status').out}")
    expect(boot(host, "probed") != "", "a probe reached the host's port without the network")
    restart(host)
    expect(has_network(host), "a tcp: probe did not open the network")
    expect_to_stand_by(host, with_network=True)
    expect(not warned(host, "needs the network"), "warned of a network that is there")
    expect(boot(host, "probed") == "", "the probe does not reach the host's port")


def by_metadata(host):
    host.exec("virsh metadata owned urn:guestd:policy:1 --key guestd --config --live "
              f"--set '{METADATA}'", check=True)
    observe.eventually(lambda: warned(host, '"owned" asks for', "network.conf", WAY_OUT),
                       lambda: f"not told: {host.exec('guestctl status').out}")
    restart(host)
    expect(not has_network(host), "a guest's metadata opened the network")
    host.exec(f"mkdir -p {DROP_IN} && cp /usr/share/guestd/examples/network.conf {DROP_IN}/",
              check=True)
    restart(host)
    expect(host.out("systemctl show --value -p PrivateNetwork guestd").strip() == "no",
           "the package's example does not open the network")
    expect(not warned(host, "needs the network"), "warned of a network that is there")
    host.exec(f"rm -r {DROP_IN}", check=True)


def run(context):
    host = context.managed_host()
    told = host.out("systemd-analyze security --no-pager guestd.service | tail -1")
    exposure = float(re.search(r"guestd.service: ([0-9.]+)", told)[1])
    print(f"exposure of guestd.service: {exposure}")
    expect(exposure <= MOST_EXPOSED and not has_network(host), f"as installed: {told}")
    expect(stands_by(host, with_network=False), "what waits to finish a drain has the network")

    host.put_file("/root/listener.py", LISTENER)
    host.exec("systemd-run --quiet python3 /root/listener.py", check=True)
    fleet = Fleet(host, [Guest("probed"), Guest("owned"), Guest("bystander")]).define().start()
    observe.wait_known(fleet)
    by_configuration(host)

    host.put_file(CONFIG, "nonsense")
    host.exec("systemctl daemon-reload", check=True)
    expect(has_network(host), "without a configuration that can be read there is no network")
    host.exec(f"mkdir -p {DROP_IN} && ln -s /dev/null {DROP_IN}/50-network.conf && "
              "systemctl daemon-reload", check=True)
    expect(host.out("systemctl show --value -p PrivateNetwork guestd").strip() == "yes",
           "the administrator cannot overrule the generator")
    host.exec(f"rm -r {CONFIG} {DROP_IN}", check=True)
    restart(host)
    expect(not has_network(host), "nothing needs the network any more")
    expect_to_stand_by(host, with_network=False)

    by_metadata(host)
    expect(fleet.traces()["bystander"] == "U", f"guests were touched: {fleet.traces()}")

    host.put_file(CONFIG, PROBE)
    host.poweroff()
    host.boot()
    expect(has_network(host), "a boot with a tcp: probe has no network")
