# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policy from each layer: files, sysconfig, the guest's own metadata; `guestctl show` tells where
each value came from, and the drain does what it says. One guest is never touched; one that is only
transient stays, as libvirt-guests' PERSISTENT_ONLY means."""

import json

from support import Fleet, expect

from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[shutdown]
stop = ["shutdown 20s", "destroy"]
[[guest]]
name = "keep-*"
shutdown.stop = ["leave"]
"""
METADATA = ('<policy><set key="shutdown.stop" value="save 1min; destroy"/>'
            '<set key="no.such.key" value="1"/></policy>')


def came_from(host, guest, key):
    return host.out(f"guestctl show {guest} | grep '^{key} '")


def run(context):
    host = context.managed_host()
    host.put_files({"/etc/guestd/guestd.toml": CONFIG,
                    "/etc/default/guestd": "PERSISTENT_ONLY=true\n"})
    host.exec("systemctl restart guestd && guestctl wait", check=True)
    plain = Fleet.of(host, 2, prefix="plain").define().start()
    keep = Fleet(host, [Guest("keep-1")]).define().start()
    passing = Fleet(host, [Guest("passing", persistent=False)]).define().start()
    host.exec("virsh metadata plain2 urn:guestd:policy:1 --key guestd --config --live "
              f"--set '{METADATA}'", check=True)
    host.exec("timeout 10 bash -c 'until guestctl show plain2 | grep -q \"save 1min\"; "
              "do sleep 0.1; done'", check=True)  # libvirt's event has told of it

    expect("guestd.toml:3 [shutdown]" in came_from(host, "plain1", "shutdown.stop"), "plain1")
    expect("metadata" in came_from(host, "plain2", "shutdown.stop"),
           came_from(host, "plain2", "shutdown.stop"))
    expect("guestd.toml:6 [[guest]] keep-*" in came_from(host, "keep-1", "shutdown.stop"),
           came_from(host, "keep-1", "shutdown.stop"))
    expect("/etc/default/guestd:1" in came_from(host, "passing", "shutdown.transient"),
           came_from(host, "passing", "shutdown.transient"))
    expect("no.such.key" in host.out("guestctl show plain2"), "the bad key was not reported")

    plan = json.loads(host.exec("guestctl --json plan drain").out)
    planned = {each["name"]: each["outcome"] for each in plan["expected"]["guests"]}
    expect(planned.get("plain1") != "saved" and planned.get("plain2") == "saved",
           f"planned without its metadata: {planned}")

    host.exec("guestctl drain --yes --wait plain1 plain2", timeout=60, check=True)
    expect(plain.traces() == {"plain1": "UAD", "plain2": "U"}, f"{plain.traces()}")
    host.exec("guestctl boot --wait", timeout=60, check=True)
    plain.wait_traces({"plain1": "UADU", "plain2": "U"}, timeout=30)

    host.exec("guestctl drain --yes --wait", timeout=60)
    expect(keep.running() == keep.names and passing.running() == passing.names,
           "a guest that was to be left alone was not")
    expect(not plain.running(), f"still up: {plain.running()}")
