# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirtd with the test driver, a bus, and guestd between them; all private, all real.

The test driver's guests are instantaneous and live in libvirtd's memory: when it is killed, its
world is gone, and `restart_libvirtd` begins an empty one on the same socket.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# Only a broken program reaches it, on a machine that is busy with other things. After a cancelled
# drain guestd itself waits for two minutes, and twice if a call of the drain goes on.
PATIENCE = 300
# guestctl's exit statuses, as its manual page has them.
FAILURE, NOT_CONNECTED = 1, 3
# Written to be exercised: an order, steps of each kind, several at a time.
CONFIG = """
[daemon]
uris = ["{uri}"]
[boot]
max_parallel = 16
autostart = "throttle"
# A host that runs tests besides is never calm.
pressure.cpu = 0
pressure.io = 0
pressure.memory = 0
min_free_memory = 0
ready = "running"
[shutdown]
stop = ["shutdown 20s", "save 30s", "destroy"]
[[guest]]
name = "db-*"
tier = "critical"
[[guest]]
name = "app-*"
after = ["db-*"]
[[guest]]
name = "save-*"
shutdown.stop = ["save 30s", "destroy"]
[[guest]]
name = "kill-*"
shutdown.stop = ["destroy"]
"""


def as_nobody(command):
    """libvirtd of an ordinary user has no business with the host's own."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]


class World:
    """`build` is a folder with guestd and guestctl in it; `wrapper` a command to run guestd under."""

    def __init__(self, build, wrapper=()):
        self.build = Path(build).resolve()
        # Not below a long TMPDIR: the path of a socket has 108 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="guestd-soak-", dir="/tmp"))
        self.home = self.folder / "home"
        self.home.mkdir()
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.home, "nobody", "nogroup")
        self.uri = f"test+unix:///default?socket={self.folder}/virt"
        self.processes = []
        self.libvirtd = self.keeper = None
        try:
            self._listen()
            self.restart_libvirtd()
            self._start_bus()
            self._start_guestd(wrapper)
        except BaseException:
            self.close()
            raise

    def _listen(self):
        # Handed to each libvirtd as systemd would: a client can connect at once, and waits.
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(f"{self.folder}/virt")
        self.socket.listen(128)
        os.chmod(f"{self.folder}/virt", 0o666)
        (self.folder / "libvirtd.conf").write_text(
            'auth_unix_rw = "none"\nmax_anonymous_clients = 100\n')

    def restart_libvirtd(self):
        """SIGKILL, and a new one with an empty world."""
        for process in (self.libvirtd, self.keeper):
            if process:
                process.kill()
                process.wait()
        number = self.socket.fileno()
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN_FDS": "1",
                       "LISTEN_FDNAMES": "libvirtd.socket", "HOME": str(self.home),
                       **{f"XDG_{kind}": str(self.home)
                          for kind in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME")}}
        script = (f"exec 3<&{number}; LISTEN_PID=$$ exec libvirtd -f {self.folder}/libvirtd.conf "
                  f"-p {self.home}/pid")
        self.libvirtd = self._run(as_nobody(["bash", "-c", script]), "libvirtd", env=environment,
                                  pass_fds=[number])
        # A world ends with its last connection, and each begins with a guest "test", which is none
        # of ours. It is removed over the connection that stays: where it is gone, it stays gone.
        self.keeper = self._run(["virsh", "-q", "-c", self.uri, "undefine test; destroy test; "
                                 "event --loop --event tunable"], "keeper")
        self.eventually(lambda: not self.virsh("list --all --name").strip(), "an empty world")

    def _start_bus(self):
        self._run(["dbus-daemon", "--session", "--nofork", f"--address=unix:path={self.folder}/bus"],
                  "bus")
        self.environment = {**os.environ, "LC_ALL": "C",
                            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus"}

    def _start_guestd(self, wrapper):
        config = self.folder / "guestd.toml"
        config.write_text(CONFIG.format(uri=self.uri))
        self.guestd = self._run([*wrapper, str(self.build / "guestd"), "--config", str(config),
                                 "--no-sysconfig", "--state-dir", f"{self.folder}/state"],
                                "guestd", env=self.environment)
        self.eventually(lambda: self.ctl("status", accept=(NOT_CONNECTED,)), "guestd on its bus")

    def _run(self, command, name, **options):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **options)
        self.processes.append(process)
        return process

    def virsh(self, *commands, may_fail=False):
        """What they print; the last must succeed. With `may_fail` each may be refused, but libvirt
        must be there: no answer is not the same as an empty one."""
        if may_fail:
            commands += ("uri",)
        done = subprocess.run(["virsh", "-q", "-c", self.uri, "; ".join(commands)],
                              capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"virsh {commands[-1]}: {done.stderr}")
        return done.stdout

    def ctl(self, *arguments, accept=()):
        """guestctl's JSON; None when it printed none. `accept`: exit statuses besides 0."""
        done = subprocess.run([self.build / "guestctl", "--json", *arguments], text=True,
                              capture_output=True, env=self.environment, timeout=PATIENCE)
        if done.returncode not in (0, *accept):
            raise AssertionError(f"guestctl {' '.join(arguments)} ended with {done.returncode}: "
                                 f"{done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def eventually(self, question, what, patience=PATIENCE):
        """The first true answer. There is no event for what two programs think of a third."""
        deadline = time.monotonic() + patience
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {patience} s: {what() if callable(what) else what}")
            if getattr(self, "guestd", None) and self.guestd.poll() is not None:
                raise AssertionError(f"guestd ended with {self.guestd.returncode}")
            time.sleep(0.1)
        return answer

    def stop_guestd(self):
        """SIGTERM as an administrator's `systemctl stop`; its exit status."""
        self.guestd.send_signal(signal.SIGTERM)
        return self.guestd.wait(PATIENCE)

    def log(self, lines=15):
        return "\n".join((self.folder / "guestd.log").read_text().splitlines()[-lines:])

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)
