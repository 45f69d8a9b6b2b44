# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user's own guests, under qemu:///session: saved when the last session of the user has ended, and
back, as they were, with the next login, together with the autostart ones. Those of a lingering user
stay up after the logout."""

from support import Fleet, expect

from guests import disk_image, domain_xml
from hosts.fleet import FOLDER

KINDS = ("container",)
MANAGERS = ("guestd",)

LOGIND = "[Login]\nUserStopDelaySec=0\n"  # an ended session is not waited for, as it is by default
CONFIG = """[boot]
ready = "running"
pressure = { io = 0, cpu = 0, memory = 0 }
"""
PACKAGES = ["libpam-systemd", "dbus-user-session"]


class Owner:
    """A user with guests."""

    def __init__(self, host):
        self.host = host
        host.exec("useradd --create-home --shell /bin/bash owner", check=True)
        host.put_file("/home/owner/.config/guestd/guestd.toml", CONFIG)
        host.exec("chown -R owner: /home/owner/.config", check=True)
        self.uid = host.out("id -u owner").strip()

    def login(self):
        """Opens a session as login(1) does, and waits for the user's systemd and guestd."""
        self.host.exec("systemd-run --quiet --unit=login --uid=owner --property=PAMName=login "
                       f"sleep infinity && {self.until('is-active', f'user@{self.uid}')}",
                       timeout=60, check=True)

    def logout(self):
        """Ends it; returns when the user's systemd is gone."""
        self.host.exec("systemctl stop login && timeout 120 bash -c 'until systemctl show "
                       f"--property=ActiveState user@{self.uid} | grep -q inactive; "
                       "do sleep 0.1; done'", timeout=150, check=True)

    @staticmethod
    def until(question, unit):
        return f"timeout 120 bash -c 'until systemctl {question} --quiet {unit}; do sleep 0.1; done'"

    def run(self, command, timeout=60):
        run = f"/run/user/{self.uid}"
        return self.host.out(
            "setpriv --reuid=owner --regid=owner --init-groups env -C /home/owner HOME=/home/owner "
            f"XDG_RUNTIME_DIR={run} DBUS_SESSION_BUS_ADDRESS=unix:path={run}/bus {command}",
            timeout=timeout)

    def virsh(self, command):
        return self.run(f"virsh --quiet -c qemu:///session {command}")

    def running(self):
        return sorted(self.virsh("list --name").split())


def define(owner, fleet):
    files = {}
    for guest in fleet.guests:
        path = f"{FOLDER}/{guest.file}"
        files[path + ".img"] = disk_image(guest)
        files[path + ".xml"] = domain_xml(guest, path + ".img", path + ".trace").encode()
        files[path + ".trace"] = b""
    owner.host.put_files(files)
    owner.host.exec(f"chmod 0666 {FOLDER}/*", check=True)
    for guest in fleet.guests:
        owner.virsh(f"define {FOLDER}/{guest.file}.xml")


def boot_run(owner):
    """The boot run of a session has ended when none is active, and there is one."""
    owner.run("timeout 90 bash -c \"until guestctl --user history | grep -q host-boot && "
              "guestctl --user wait; do sleep 0.2; done\"", timeout=120)


def pids(owner):
    return owner.run("pgrep -u owner -f qemu-system | sort")


def run(context):
    host = context.host(extras=PACKAGES)
    host.put_file("/etc/systemd/logind.conf.d/test.conf", LOGIND)
    host.boot()
    context.manager.install(host)
    owner = Owner(host)
    owner.login()
    owner.run("systemctl --user enable --now guestd")
    fleet = Fleet.of(host, 2)
    define(owner, fleet)
    owner.virsh("start vm1")
    owner.virsh("autostart vm2")
    fleet.wait_traces({"vm1": "U"})
    before = pids(owner)
    owner.run("systemctl --user restart guestd")
    expect(".config/guestd/guestd.toml" in owner.run("guestctl --user show vm1"),
           "the user's configuration is not heeded")
    expect(pids(owner) == before and before, "a restart of the user's guestd touched a guest")

    owner.logout()
    expect(fleet.traces() == {"vm1": "U", "vm2": ""}, f"after the logout: {fleet.traces()}")
    save = "/home/owner/.config/libvirt/qemu/save"
    expect(host.out(f"ls {save}").split() == ["vm1.save"], "vm1 was not saved")
    expect(host.exec("pgrep -u owner qemu-system").rc == 1, "QEMU outlived the session")

    owner.login()
    boot_run(owner)
    fleet.wait_traces({"vm1": "U", "vm2": "U"})
    expect(owner.running() == ["vm1", "vm2"], f"after the login: {owner.running()}")
    expect(not host.out(f"ls {save}").split(), "vm1 was not restored from its image")
    told = owner.run("guestctl --user history")
    expect("session-end" in told, f"history: {told}")

    # Back before the user's old systemd is gone, which has the runtime folder live on.
    host.exec("systemctl stop login", check=True)
    owner.login()
    boot_run(owner)
    expect(owner.running() == ["vm1", "vm2"], f"after a quick new login: {owner.running()}")
    expect(fleet.traces() == {"vm1": "U", "vm2": "U"}, f"not saved: {fleet.traces()}")

    host.exec("loginctl enable-linger owner && systemctl stop login", check=True)
    expect(owner.running() == ["vm1", "vm2"], "guests of a lingering user went with the session")
    # libvirt's session daemon saves its guests by itself as soon as logind says that the host goes
    # down, beside guestd: whoever is first, they come back, without a login.
    host.poweroff()
    host.boot()
    host.exec(owner.until("is-active", f"user@{owner.uid}"), timeout=130, check=True)
    boot_run(owner)
    expect(owner.running() == ["vm1", "vm2"], f"after the boot: {owner.running()}")
    expect(fleet.traces() == {"vm1": "U", "vm2": "U"}, f"not saved: {fleet.traces()}")
