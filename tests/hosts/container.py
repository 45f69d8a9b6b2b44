# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host in a container: systemd-nspawn over an overlay of the cached root. Boots in seconds.

Not a normal host in one point: cgroup controllers are not delegated, so libvirt registers no
machine scopes, and nothing but units' own ordering keeps libvirtd alive while guests are stopped.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .host import Host, HostError

SOCKET = "run/guestd-test.sock"


def cgroup2():
    """Where the unified cgroup hierarchy is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(target)
    raise HostError("no cgroup2 file system is mounted")


class ContainerHost(Host):
    kind = "container"

    def _create(self):
        # In memory, and dismounted with one call: a test root is no place for fsync.
        self._memory = self.folder / "memory"
        self._memory.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "guestd-test", self._memory],
                       check=True)
        self.root = self._memory / "root"
        for name in ("root", "upper", "work"):
            (self._memory / name).mkdir()
        lower = ":".join(map(str, self.layers))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={lower},upperdir={self._memory}/upper,"
                        f"workdir={self._memory}/work", self.root], check=True)

    def _start(self, kernel_args):
        # Each host has a cgroup of its own: with --keep-unit two nspawns in one cgroup would
        # share their services.
        self._cgroup = cgroup2() / self.folder.name
        self._cgroup.mkdir(exist_ok=True)
        # Temporary names have underscores, which a machine name may not have; nor may it end in "-".
        machine = self.folder.name.replace("_", "0")
        command = ["systemd-nspawn", f"--directory={self.root}", "--register=no", "--keep-unit",
                   "--private-network", "--capability=all", "--quiet", "--console=read-only",
                   f"--machine={machine}", "--hostname=testhost",
                   "--link-journal=no", "--resolv-conf=off", "--timezone=off",
                   "--setenv=SYSTEMD_COLORS=0",
                   "/lib/systemd/systemd", "--show-status=yes", *kernel_args]
        # The host dies with the test, however that ends.
        join = f'echo $$ >"{self._cgroup}/cgroup.procs" && exec setpriv --pdeathsig=KILL "$@"'
        return subprocess.Popen(
            ["sh", "-c", join, "sh", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "dumb",
                 "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})

    def init_pid(self):
        """The PID, seen from outside, of the container's PID 1."""
        # os.walk() bears with groups that vanish meanwhile, which pathlib's ways do not.
        for folder, _, _ in os.walk(self._cgroup):
            pids = []
            with contextlib.suppress(OSError):
                pids = Path(folder, "cgroup.procs").read_text().split()
            for pid in pids:
                with contextlib.suppress(OSError):
                    status = Path(f"/proc/{pid}/status").read_text()
                    nspid = status.partition("NSpid:")[2].split("\n")[0].split()
                    if len(nspid) > 1 and nspid[-1] == "1":
                        return int(pid)
        raise self.error("has no PID 1")

    def _connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"/proc/{self.init_pid()}/root/{SOCKET}")
        return connection

    def _kill(self):
        (self._cgroup / "cgroup.kill").write_text("1")

    def _stopped(self):
        """Removes the cgroup; what outlived PID 1 in it is killed."""
        if not self._cgroup.exists():
            return
        with contextlib.suppress(OSError):
            (self._cgroup / "cgroup.kill").write_text("1")
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            self._remove_cgroup(Path(folder))
        self._remove_cgroup(self._cgroup)

    @staticmethod
    def _remove_cgroup(folder):
        deadline = time.monotonic() + 5
        while folder.is_dir():
            try:
                folder.rmdir()
            except OSError:  # killed processes take a moment to leave it
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _destroy(self):
        for target in (self.root, self._memory):
            subprocess.run(["umount", "--lazy", target], check=True)

    def _inside(self, path):
        """The outside's path of a file; the host's own symbolic links are followed inside."""
        inside = self.root
        for part in Path(path).relative_to("/").parts:
            inside = inside / part
            for _ in range(40):
                if not inside.is_symlink():
                    break
                link = os.readlink(inside)
                inside = Path(f"{self.root}{link}") if link.startswith("/") else inside.parent / link
        return inside

    def _read_offline(self, path):
        return self._inside(path).read_bytes()

    def _write_offline(self, path, data, mode):
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)

    def _export_journal(self, folder):
        shutil.copytree(self._inside("/var/log/journal"), Path(folder) / "journal")
