# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/tutorial.md on a bare host, and each docs/howto/*.md on a host with guestd, word by word: every
command succeeds and prints what the document shows.

What a how-to takes for granted (guests, a UPS, a disk that waits for its passphrase) is put there
first; `PREPARE` says how. GUESTD_TRANSCRIPT=FILE keeps what was typed and what was answered."""

import os
import re
import subprocess
import sys
from pathlib import Path

from guests import Guest
from support import Fleet, expect

sys.path.insert(0, str(Path(__file__).resolve().parent))
from documents import steps  # noqa: E402

KINDS = ("container",)
MANAGERS = ("guestd",)

DOCS = Path(__file__).resolve().parents[3] / "docs"
GOES_DOWN = ("sudo reboot", "sudo poweroff", "sudo /usr/local/sbin/ups-shutdown")
HOME = "/root/reader"
# libvirtd's delay lock while guests run: systemd need not wait for it. (guestd does not use it.)
NO_DELAY = {"/etc/systemd/logind.conf.d/test.conf": "[Login]\nInhibitDelayMaxSec=100ms\n"}
# Test guests have no agent, and five quiet seconds of each are nobody's time here.
NO_AGENT = {"/usr/lib/guestd/guestd.toml.d/test.toml": '[boot]\nready = ["delay:100ms"]\n'}
LATE_DISK = """<disk type='file'><driver name='qemu' type='raw'/>
    <source file='/srv/guests/vault-1.img'/><target dev='hda' bus='ide'/></disk>"""


def shop(host):
    """A database, or at least a port that answers, and its users."""
    host.put_file("/root/database.py", "import socket\n"
                  "server = socket.create_server(('192.168.122.10', 5432))\n"
                  "while True:\n    server.accept()\n")
    host.exec("ip address add 192.168.122.10/32 dev lo && "
              "systemd-run --quiet python3 /root/database.py", check=True)
    Fleet(host, [Guest("db-1"), Guest("web-1"), Guest("web-2")]).define().start()


def ups(host):
    """What the packages nut-client and apcupsd would bring."""
    host.put_file("/etc/nut/upsmon.conf", 'SHUTDOWNCMD "/sbin/shutdown -h +0"\n')
    host.put_file("/etc/apcupsd/apcupsd.conf", "")
    host.put_file("/etc/systemd/system/nut-monitor.service",
                  "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
    Fleet(host, [Guest("mail-1"), Guest("web-1")]).define().start()


def late_storage(host):
    """A folder in the place of an encrypted disk, mounted now, but not after the next boot."""
    host.put_file("/etc/fstab", "/var/lib/late /srv/guests none bind,noauto 0 0\n")
    host.put_file("/usr/local/sbin/cryptdisks_start", '#!/bin/sh\ntest "$1" = guests\n', 0o755)
    host.exec("mkdir -p /var/lib/late /srv/guests && systemctl daemon-reload && mount /srv/guests",
              check=True)
    guest = Guest("vault-1", disk=LATE_DISK)
    fleet = Fleet(host, [guest, Guest("web-1")]).define()
    host.exec("cp /var/lib/guestd-test/vault-1.img /srv/guests && chmod 666 /srv/guests/*", check=True)
    fleet.start()


def two_guests(host):
    Fleet(host, [Guest("web-1"), Guest("web-2")]).define().start()


PREPARE = {
    "database-before-web.md": shop,
    "late-storage.md": late_storage,
    "save-on-reboot.md": two_guests,
    "ups.md": ups,
}


class Reader:
    """Types what a document says."""

    def __init__(self, host, transcript):
        self.host, self.transcript = host, transcript
        # Test hosts have no sudo: everything is root's there.
        host.put_file("/usr/local/bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
        host.exec(f"mkdir -p {HOME}", check=True)

    def follow(self, path):
        found = steps(path)
        expect(found, f"no command in {path.name}")
        for step in found:
            code, output = self.host.exec(f"cd {HOME}\n{step.command}", timeout=120)
            self.transcript.append("$ " + step.command.replace("\n", "\n> "))
            self.transcript.append(output.rstrip())
            expect(code == 0, f"{step.place}: exit status {code}: {step.command}\n{output}")
            lacking = step.missing(output)
            expect(lacking is None, f"{step.place}: {step.command}\ndoes not print: {lacking}\n"
                                    f"but:\n{output}")
            if step.command in GOES_DOWN:
                down = self.host.wait_down()
                up = self.host.boot()
                self.transcript.append(f"(down after {down:.1f} s, up after {up:.1f} s)")


def booted(host, *files):
    for path, text in (item for group in files for item in group.items()):
        host.put_file(path, text)
    host.boot()
    return host


def bare_host(context):
    """A host that has libvirt, and of guestd only the package in its reader's home."""
    package = context.manager.extras[0]
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, text=True,
                             capture_output=True).stdout
    ours, context.manager.extras = context.manager.extras, tuple(
        re.findall(r"\blib[a-z0-9.+-]+", depends))
    host = booted(context.host(), NO_DELAY)
    context.manager.extras = ours
    host.put_file(f"{HOME}/guestd_0_amd64.deb", Path(package).read_bytes())
    return host


def run(context):
    transcript = []
    documents = sorted((DOCS / "howto").glob("*.md"))
    expect({path.name for path in documents} == set(PREPARE), "PREPARE and docs/howto differ")
    try:
        for path in [DOCS / "tutorial.md", *documents]:
            transcript.append(f"\n=== {path.name} ===")
            if path.name in PREPARE:
                host = booted(context.host(), NO_DELAY, NO_AGENT)
                context.manager.install(host)
                PREPARE[path.name](host)
            else:
                host = bare_host(context)
            Reader(host, transcript).follow(path)
            host.kill()
    finally:
        if os.environ.get("GUESTD_TRANSCRIPT"):
            Path(os.environ["GUESTD_TRANSCRIPT"]).write_text("\n".join(transcript) + "\n")
