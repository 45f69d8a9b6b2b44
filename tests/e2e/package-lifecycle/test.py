# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is upgraded (also in the middle of a run), removed, installed again and purged on a
host with running guests: the QEMU processes stay the same, a run goes on where it was, settings and
resume list outlive a removal, what the administrator enabled or disabled stays so, and a purge
leaves nothing. (installed-on-a-running-host has the first installation, and the way from and to
libvirt-guests.)"""

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


def dpkg_install(host, package):
    host.exec(f"DEBIAN_FRONTEND=noninteractive dpkg -i {package}", timeout=120, check=True)


def install(host, package):
    dpkg_install(host, package)
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
    units = ("guestd.service guestd-finish.service guestd-autostart.service "
             "guestd-activate.service guestd-workers.service")
    host.exec(f"systemd-analyze verify --man=no {units}", check=True)

    number = json.loads(host.out("guestctl --json drain --yes slow1"))["run"]
    install(host, NEW)
    host.exec("guestctl wait", timeout=60, check=True)
    run, guests = newest_run(host, "drain")
    expect(guests["slow1"]["outcome"] == "shut-down", f"in the middle of a run: {guests}")
    expect(run["clean"] and run["run"] == number, f"not run {number}, or not clean: {run}")
    expect("slow1" in host.out("guestctl resume-list"), "the upgrade lost the resume list")


def the_administrator_decides(host):
    """What is enabled and what is not outlives upgrades; so do links that are not the package's."""
    wants = "systemctl list-dependencies --plain emergency.target"
    host.exec("systemctl disable guestd-autostart; "
              "systemctl add-wants emergency.target guestd.service", check=True)
    install(host, NEW)
    expect(host.exec("systemctl is-enabled guestd-autostart").out.strip() == "disabled",
           "the upgrade enabled what the administrator disabled")
    expect("guestd.service" in host.out(wants), "the upgrade removed the administrator's link")
    host.exec("rm /etc/systemd/system/emergency.target.wants/guestd.service; "
              "systemctl disable --now guestd", check=True)
    dpkg_install(host, NEW)
    expect(host.exec("systemctl is-enabled guestd; systemctl is-active guestd").out.split() ==
           ["disabled", "inactive"], "the upgrade overruled the administrator")
    host.exec("systemctl enable --now guestd", check=True)


def removal_given_up(host):
    """dpkg gives up in the middle, and sets things right again with abort-remove."""
    prerm = "/var/lib/dpkg/info/guestd.prerm"
    host.exec(f"cp {prerm} /root/prerm && sed -i 's/^exit 0$/exit 1/' {prerm}", check=True)
    expect(host.exec("dpkg -r guestd", timeout=60).rc != 0, "the removal did not fail")
    expect(host.out("systemctl is-active guestd; systemctl is-enabled guestd").split() ==
           ["active", "enabled"], "a removal that was given up left guestd down")
    host.exec(f"cp /root/prerm {prerm}", check=True)


def units_left(host):
    """What systemd still holds of guestd's; the test hosts have a unit of that name, too."""
    lines = host.out("systemctl list-units --plain --no-legend --state=active,failed 'guestd*'")
    return [line for line in lines.splitlines() if not line.startswith("guestd-test")]


def removal(host):
    host.exec("systemctl enable --now guestd-metrics.timer; systemctl start guestd-autostart",
              check=True)
    before = pids(host)
    told = host.out("dpkg -r guestd", timeout=60)
    expect(pids(host) == before, "the removal touched guests")
    expect("slow1" in told and "libvirt-guests does not" in told,
           f"not told who waits to be brought back: {told}")
    expect(not units_left(host), f"the removal left {units_left(host)}")
    install(host, OLD)
    expect(host.out("systemctl is-active guestd-metrics.timer").strip() == "active",
           "the second installation did not start what is enabled")
    expect(pids(host) == before, "the second installation touched guests")
    expect("slow1" in host.out("guestctl resume-list"), "the removal lost the resume list")
    expect(REMARK.strip() in host.read_file("/etc/guestd/guestd.toml").decode(),
           "the removal lost settings")


def purge(host):
    before = pids(host)
    host.put_file("/etc/guestd/guestd.toml.d/10-own.toml", "")
    host.exec("dpkg -P guestd", timeout=60, check=True)
    expect(pids(host) == before, "the purge touched guests")
    expect(not units_left(host), f"the purge left {units_left(host)}")
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
    the_administrator_decides(host)
    removal_given_up(host)
    removal(host)
    purge(host)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    expect(set(fleet.traces().values()) == {"U"}, f"guests were touched: {fleet.traces()}")
    expect(slow.traces() == {"slow1": "UAD"}, f"the drained one: {slow.traces()}")
