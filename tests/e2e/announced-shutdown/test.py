# SPDX-License-Identifier: LGPL-2.1-or-later
"""logind announces that the host goes down, seconds before any unit is stopped, for libvirtd has it
wait while guests run: guestd drains at once, goes on when it is stopped itself, brings the guests
back when the host stays up after all, and at the next boot in any case."""

import json
import subprocess
import tempfile
from pathlib import Path

from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

STAND_IN = Path(__file__).parents[1] / "logind.c"
CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 1min", "destroy"]
"""


def replace_logind(host):
    """systemd 252 does not tell the way down: there, a program of ours announces it."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "logind"
        subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Werror", "-o", program, STAND_IN,
                        "-lsystemd"], check=True)
        host.put_file("/usr/local/bin/logind", program.read_bytes(), mode=0o755)
    host.exec("systemctl mask --now systemd-logind", check=True)


def drains(host):
    runs = json.loads(host.out("guestctl --json history"))
    return [run for run in runs if run["kind"] == "drain"]


def wait_said(host, words):
    journal = "journalctl -u guestd -f -n all -o cat 2>/dev/null"
    host.exec(f"timeout 20 bash -c 'grep -q -m1 \"{words}\" <({journal})'", check=True)


def boots_with_everybody(host, fleet, count):
    host.boot()
    host.exec("guestctl wait", timeout=120, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    told = drains(host)
    expect(len(told) == count, f"{count} drains, not {told}")
    expect(all(run["clean"] for run in told) and told[0]["trigger"] == "poweroff", f"{told}")


def with_stand_in(host, fleet):
    replace_logind(host)
    host.exec("logind 1 reboot", check=True)
    fleet.wait_traces({"quick": "UAD", "slow": "UA"}, timeout=30)
    host.exec("logind 0 reboot", check=True)
    fleet.wait_traces({"quick": "UADU", "slow": "UADU"}, timeout=60)  # cancelled: back up
    host.exec("guestctl wait", timeout=60, check=True)
    expect(host.out("guestctl --json resume-list") == "[]", "somebody is left on the list")
    expect(newest_run(host, "drain")[0]["trigger"] == "reboot", "another drain than announced")

    host.exec("logind 1 halt", check=True)
    fleet.wait_traces({"quick": "UADUAD", "slow": "UADUAD"}, timeout=60)
    host.exec("guestctl wait", timeout=60, check=True)
    host.exec("logind 0 halt", check=True)  # it is over: booted
    fleet.wait_traces({"quick": "UADUADU", "slow": "UADUADU"}, timeout=60)
    host.exec("guestctl wait", timeout=60, check=True)
    expect(fleet.running() == ["quick", "slow"], f"running: {fleet.running()}")

    # logind is gone before it has said how it ends: guestd looks for itself.
    host.exec("logind 1 reboot", check=True)
    fleet.wait_traces({"quick": "UADUADUADU", "slow": "UADUADUADU"}, timeout=60)
    host.exec("guestctl wait", timeout=60, check=True)

    setting = "/etc/guestd/guestd.toml.d/late.toml"
    host.put_file(setting, "[daemon]\nearly_drain = false\n")
    host.exec("systemctl reload guestd && logind 1 poweroff", check=True)
    wait_said(host, "waits for the stop")
    host.exec(f"rm {setting} && systemctl reload guestd", check=True)
    expect(len(drains(host)) == 3, "a drain although daemon.early_drain is false")

    host.exec("systemctl start guestd-wait-boot && logind 1 poweroff", check=True)
    wait_said(host, "are stopped first")
    host.exec("systemctl stop guestd-wait-boot", check=True)
    expect(len(drains(host)) == 3, "a drain although units wait for the guests")

    host.exec("logind 1 poweroff", check=True)
    fleet.wait_traces({"quick": "UADUADUADUAD"}, timeout=30)
    host.poweroff()  # while the slow one is still on its way down


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest("quick"), Guest("slow", delay=4), Guest("off", autostart=True)])
    fleet.define()
    host.exec("virsh start quick && virsh start slow", check=True)
    fleet.wait_traces({"quick": "U", "slow": "U"}, timeout=60)
    announced = 1
    if context.suite == "bookworm":
        with_stand_in(host, fleet)
        announced = 4
    else:
        host.poweroff()
    boots_with_everybody(host, fleet, announced)
    expect(host.out("journalctl -b -1 -u guestd --grep 'is about to go down' -o cat") != "",
           "guestd did not hear logind")
