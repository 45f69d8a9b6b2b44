# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd keeps as many workers ready as it may have, after each of its starts: so many requests
are served at once, however they come. What an administrator has set higher stays, and without
guestd nothing of libvirt is changed."""

from support import expect

KINDS = ("container",)
MANAGERS = ("guestd",)

INFO = "virt-admin server-threadpool-info libvirtd"


def workers(host):
    """{"minWorkers": 5, ...}"""
    lines = [line.split(":") for line in host.out(INFO).splitlines() if ":" in line]
    return {name.strip(): int(value) for name, value in lines}


def settle(host, what):
    """The workers once whatever is under way has been done."""
    host.exec(what, timeout=60, check=True)
    host.exec("timeout 30 bash -c 'while systemctl list-jobs --no-legend | grep -q workers; "
              "do sleep 0.1; done; "
              "while systemctl is-active guestd-workers | grep -q activating; do sleep 0.1; done'",
              check=True)
    return workers(host)


def restarted(host, settings=""):
    host.put_file("/etc/libvirt/libvirtd.conf", settings)
    return settle(host, "systemctl reset-failed; systemctl restart libvirtd")


def run(context):
    host = context.managed_host()
    host.poweroff()
    host.boot()
    now = settle(host, "guestctl wait")
    expect(now["minWorkers"] == now["nWorkers"] == 20, f"after a boot: {now}")

    now = restarted(host)
    expect(now["minWorkers"] == now["nWorkers"] == 20, f"libvirtd restarted: {now}")
    now = settle(host, "systemctl kill --kill-whom=main -s KILL libvirtd; "
                       "timeout 30 bash -c 'until virsh list; do sleep 0.1; done'")
    expect(now["minWorkers"] == 20, f"libvirtd killed: {now}")

    now = restarted(host, "max_workers = 8\n")
    expect(now["minWorkers"] == now["maxWorkers"] == 8, f"an administrator wants 8: {now}")
    now = restarted(host, "min_workers = 110\nmax_workers = 120\n")
    expect(now["minWorkers"] == 110, f"an administrator wants 110: {now}")
    now = restarted(host, "max_workers = 300\n")
    expect(now["minWorkers"] == 100, f"not without limit: {now}")

    host.exec("systemctl kill --kill-whom=main -s STOP libvirtd; systemctl start guestd-workers; "
              "systemctl kill --kill-whom=main -s CONT libvirtd", timeout=60, check=True)
    expect(not host.out("systemctl list-units --failed --no-legend 'guestd*'"),
           "a libvirtd that hangs makes the unit fail")

    host.exec("systemctl mask guestd-workers", check=True)
    now = restarted(host)
    expect(now["minWorkers"] == 5, f"masked: {now}")
    host.exec("systemctl unmask guestd-workers && systemctl disable --now guestd", check=True)
    now = restarted(host)
    expect(now["minWorkers"] == 5, f"guestd is disabled: {now}")
    now = settle(host, "systemctl enable guestd && systemctl start guestd")
    expect(now["minWorkers"] == 20, f"guestd is there again: {now}")
    expect("libvirtd keeps 20 workers ready, 5 before" in host.journal("-u", "guestd-workers"),
           "nobody is told")
