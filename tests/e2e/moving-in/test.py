# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host moves from libvirt-guests to guestd with all that libvirt-guests was told, and with the two
guests that it failed to bring back: one is saved, one is off.

The package touches no guest. `guestctl import` only shows; with --apply it writes the settings and
hands those guests over. While guestd is away, or does not look after a URI of the list yet, it says
so, and nothing is lost. Once all is taken, the next --apply changes nothing. After the next boot every
guest is up, each started once, by libvirt's own view and the guests' traces."""

import json
import re
import subprocess
from pathlib import Path

from guests import Guest
from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = "/etc/default/libvirt-guests"
LIST = "/var/lib/libvirt/libvirt-guests"
TAKEN = LIST + ".taken-by-guestd"
DROP_IN = "/etc/guestd/guestd.toml.d/50-libvirt-guests.toml"
TOLD = """URIS="default test:///default"
ON_BOOT=start
START_DELAY=1
ON_SHUTDOWN=suspend
BYPASS_CACHE=0
"""
SETTINGS = ('daemon.uris = ["qemu:///system", "test:///default"]', "boot.resume = true",
            'boot.start_delay = "1s"', "shutdown.stop = [\"save")
# The one guest of libvirt's test driver: it always runs.
TEST_GUEST = "6695eb01-f6a4-8304-79aa-97f2502e193f"


def old_host(context):
    """A host on which libvirt-guests does the work, and failed; guestd's package is at hand."""
    package = context.manager.extras[0]
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, text=True,
                             capture_output=True).stdout
    context.manager.extras = tuple(re.findall(r"\blib[a-z0-9.+-]+", depends))
    host = context.host()
    host.boot()
    host.put_file(CONFIG, TOLD)
    host.put_file("/root/guestd.deb", Path(package).read_bytes())
    host.exec("systemctl enable --now libvirt-guests", check=True)
    fleet = Fleet(host, [Guest("stays"), Guest("saved"), Guest("off")]).define().start()
    host.exec("virsh managedsave saved; virsh shutdown off; timeout 30 bash -c "
              "'until [ \"$(virsh domstate off)\" = \"shut off\" ]; do sleep 0.1; done'", check=True)
    waiting = [guest.uuid for guest in fleet.guests[1:]]
    host.put_file(LIST, f"default {' '.join(waiting)}\ntest:///default {TEST_GUEST}\n")
    return host, fleet, waiting


def exists(host, path):
    return host.exec(f"test -e {path}").rc == 0


def resume_list(host):
    return sorted(entry["uuid"] for entry in json.loads(host.out("guestctl --json resume-list")))


def ready(host):
    """Until guestd knows what libvirt has."""
    host.exec("timeout 30 bash -c 'until guestctl list 2>/dev/null | grep -q stays; do sleep 0.1; "
              "done'", timeout=60, check=True)


def only_shows(host):
    code, text = host.exec("guestctl import")
    expect(code == 0 and "--apply does" in text, f"{code}: {text}")
    for setting in SETTINGS:
        expect(f"+{setting}" in text, f"{setting} is not in: {text}")
    expect("warning: ON_SHUTDOWN=suspend" in text, f"no word of what differs: {text}")
    expect(not exists(host, DROP_IN) and not resume_list(host), "import without --apply wrote")


def apply_while_away(host, waiting):
    host.exec("systemctl disable --now guestd", check=True)  # so that the bus does not start it
    code, text = host.exec("guestctl import --apply", timeout=60)
    expect(code != 0 and "guestd" in text, f"without guestd: {code}: {text}")
    left = host.read_file(LIST).decode()
    expect(all(uuid in left for uuid in waiting), f"the list lost somebody: {left}")
    host.exec("systemctl enable --now guestd", check=True)
    ready(host)
    expect(not resume_list(host), "somebody is on the list already")


def apply(host, waiting):
    host.exec(f"rm -f {DROP_IN}; systemctl restart guestd", check=True)
    ready(host)
    code, text = host.exec("guestctl import --apply")
    expect(code != 0 and TEST_GUEST in text, f"test:/// is not looked after yet: {code}: {text}")
    written = host.read_file(DROP_IN).decode()
    expect(all(setting in written for setting in SETTINGS), f"written: {written}")
    expect(resume_list(host) == sorted(waiting), f"on the list: {resume_list(host)}")
    expect(exists(host, LIST), "the list is gone, though not all of it was taken")

    host.exec("systemctl restart guestd", check=True)
    ready(host)
    host.exec("timeout 30 bash -c 'until guestctl list | grep -q ^test; do sleep 0.1; done'; "
              "guestctl import --apply", timeout=60, check=True)
    expect(not exists(host, LIST) and exists(host, TAKEN), "the list was not put aside")

    code, text = host.exec("guestctl import --apply")
    expect(code == 0 and "says all of it already" in text, f"once more: {code}: {text}")
    expect(host.read_file(DROP_IN).decode() == written, "the second time changed the settings")
    expect(resume_list(host) == sorted(waiting), f"on the list: {resume_list(host)}")


def run(context):
    host, fleet, waiting = old_host(context)
    before = {"stays": "U", "saved": "U", "off": "UAD"}
    expect(fleet.traces() == before, f"traces: {fleet.traces()}")
    host.exec("DEBIAN_FRONTEND=noninteractive dpkg -i /root/guestd.deb", timeout=120, check=True)
    ready(host)
    expect(host.exec("systemctl is-enabled libvirt-guests").out.strip() == "disabled",
           "libvirt-guests is still enabled")
    only_shows(host)
    apply_while_away(host, waiting)
    apply(host, waiting)
    expect(fleet.running() == ["stays"] and fleet.traces() == before,
           f"guests were touched: {fleet.running()}, {fleet.traces()}")

    host.reboot()
    host.exec("guestctl wait --ready stays saved off", timeout=90, check=True)
    running = host.out("virsh list --name").split()
    expect(sorted(running) == sorted(fleet.names), f"libvirt says that {running} run")
    # Saved guests never noticed; the one that was off was started, once.
    expect(fleet.traces() == {**before, "off": "UADU"}, f"traces: {fleet.traces()}")
    expect(not resume_list(host), f"still on the list: {resume_list(host)}")
