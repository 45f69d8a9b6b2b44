# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is upgraded (also in the middle of a run), removed, installed again and purged on a
host with running guests: the QEMU processes stay the same, a run goes on where it was, settings and
resume list outlive a removal, and a purge leaves nothing. (installed-on-a-running-host has the first
installation, and the way from and to libvirt-guests.)"""

import json
import subprocess
import tempfile
from pathlib import Path

from support import Fleet, expect, newest_run

KINDS = ("container",)
MANAGERS = ("guestd",)

OLD, NEW = "/root/old.deb", "/root/new.deb"
REMARK = "# the administrator was here\n"


def newer(package):
    """The same package with a higher version."""
    with tempfile.TemporaryDirectory() as folder:
        tree, made = f"{folder}/tree", f"{folder}/new.deb"
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        control = Path(tree, "DEBIAN/control")
        lines = [line + "+new" if line.startswith("Version: ") else line
                 for line in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made], check=True,
                       stdout=subprocess.DEVNULL)
        return Path(made).read_bytes()


def pids(host):
    """{guest: QEMU's process id}: who was restarted has another."""
    return dict(line.split() for line in host.out(
        "for pid in /run/libvirt/qemu/*.pid; do echo $(basename $pid .pid) $(<$pid); done"
    ).splitlines())


def install(host, package):
    host.exec(f"DEBIAN_FRONTEND=noninteractive dpkg -i {package}", timeout=120, check=True)
    expect(host.out("systemctl is-active guestd; systemctl is-enabled guestd").split() ==
           ["active", "enabled"], f"guestd does not run after the installation of {package}")
    host.exec("timeout 30 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.1; done'",
              check=True)


def upgrades(host):
    host.exec(f"printf '{REMARK}' >>/etc/guestd/guestd.toml", check=True)
    before, daemon = pids(host), host.out("systemctl show -p MainPID guestd")
    install(host, NEW)
    expect(pids(host) == before, "the upgrade touched guests")
    expect(host.out("systemctl show -p MainPID guestd") != daemon, "the old guestd still runs")
    expect(REMARK.strip() in host.read_file("/etc/guestd/guestd.toml").decode(),
           "the upgrade lost settings")
    units = "guestd.service guestd-finish.service guestd-autostart.service guestd-activate.service"
    host.exec(f"systemd-analyze verify --man=no {units}", check=True)

    number = json.loads(host.out("guestctl --json drain --yes slow1"))["run"]
    install(host, NEW)
    host.exec("guestctl wait", timeout=60, check=True)
    run, guests = newest_run(host, "drain")
    expect(guests["slow1"]["outcome"] == "shut-down", f"in the middle of a run: {guests}")
    expect(run["clean"] and run["run"] == number, f"not run {number}, or not clean: {run}")
    expect("slow1" in host.out("guestctl resume-list"), "the upgrade lost the resume list")


def removal(host):
    before = pids(host)
    host.exec("dpkg -r guestd", timeout=60, check=True)
    expect(pids(host) == before, "the removal touched guests")
    expect(host.exec("systemctl is-active guestd guestd-finish").out.split() ==
           ["inactive", "inactive"], "guestd outlived its removal")
    install(host, OLD)
    expect(pids(host) == before, "the second installation touched guests")
    expect("slow1" in host.out("guestctl resume-list"), "the removal lost the resume list")
    expect(REMARK.strip() in host.read_file("/etc/guestd/guestd.toml").decode(),
           "the removal lost settings")


def purge(host):
    before = pids(host)
    host.put_file("/etc/guestd/guestd.toml.d/10-own.toml", "")
    host.exec("dpkg -P guestd", timeout=60, check=True)
    expect(pids(host) == before, "the purge touched guests")
    # /usr/lib/guestd/guestd.toml is the test hosts' own.
    left = host.out("find / -xdev -name '*guestd*' -not -path '*guestd-test*' "
                    "-not -path '/proc/*' -not -path '/root/*' -not -path '/var/lib/apt/*' "
                    "-not -path '/tmp/*' -not -path '/sys/*' "
                    "-not -path '/usr/lib/guestd*'").split()
    expect(not left, f"the purge left {left}")


def run(context):
    host = context.managed_host()
    package = context.manager.extras[0]
    host.put_file(OLD, Path(package).read_bytes())
    host.put_file(NEW, newer(package))
    fleet = Fleet.of(host, 2).define().start()
    slow = Fleet.of(host, 1, prefix="slow", delay=6).define().start()
    upgrades(host)
    removal(host)
    purge(host)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    expect(set(fleet.traces().values()) == {"U"}, f"guests were touched: {fleet.traces()}")
    expect(slow.traces() == {"slow1": "UAD"}, f"the drained one: {slow.traces()}")
