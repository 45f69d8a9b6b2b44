# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test host: a whole Debian that boots, obeys commands, goes down and boots again.

This class is what tests use; ContainerHost and MachineHost say how each kind does it. A host is
up or down. Its disk lasts over its boots until `remove()`.
"""

import base64
import io
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from . import roots
from .channel import ChannelClosed, Command
from .console import Console
from .process import ended

UP_LINE = r"guestd-test: up (\S+)"


class HostError(Exception):
    """A host did not do what was asked; the message ends with the console's last lines."""


def archive(files, mode=0o644):
    """A tar archive of {path: bytes or str}, to be unpacked at /."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size, info.mode, info.mtime = len(data), mode, int(time.time())
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Host:
    kind = ""
    boot_timeout = 60
    down_timeout = 120
    patience = 1  # what limits of commands are multiplied by

    def __init__(self, suite="bookworm", extras=(), name=None):
        self.suite = suite
        self.layers = self.prepare(suite, extras)
        self.folder = Path(tempfile.mkdtemp(prefix=f"guestd-{name or self.kind}-"))
        self.console = Console(self.folder / "console.log")
        self.process = None
        self.boot_id = None
        self._reader = None
        self._boot_mark = 0
        self._create()

    @classmethod
    def prepare(cls, suite, extras=()):
        """Builds what is missing of the cached files for such a host. Returns the root's layers."""
        return roots.build_root(suite, extras)

    # What each kind provides.
    def _create(self):
        """Prepares the disk; raises before anything lasts."""
        raise NotImplementedError

    def _start(self, kernel_args):
        """Starts the host and returns its Popen, with the console on stdout."""
        raise NotImplementedError

    def _stopped(self):
        """Cleans up after the process is gone."""

    def _destroy(self):
        """Removes what `_create` made, outside `folder`."""
        raise NotImplementedError

    def _connect(self):
        """A connected socket to the host's command port."""
        raise NotImplementedError

    def _read_offline(self, path):
        raise NotImplementedError

    def _write_offline(self, path, data, mode):
        raise NotImplementedError

    def _export_journal(self, folder):
        """Copies /var/log/journal of a host that is down to `folder`/journal."""
        raise NotImplementedError

    # Up and down.
    @property
    def is_up(self):
        return self.process is not None and self.process.poll() is None

    def boot(self, timeout=None, wait="running", kernel_args=()):
        """Boots. Returns the seconds it took.

        wait="channel": until commands are obeyed (early, before sysinit.target);
        wait="running": until systemd has no start job left; a failed unit is no error.
        """
        if self.is_up:
            raise self.error("is up already")
        started = time.monotonic()
        limit = timeout or self.boot_timeout
        self._boot_mark = self.console.mark()
        self.process = self._start(tuple(kernel_args))
        self._reader = self.console.attach(self.process.stdout)
        match = self.console.wait_for(UP_LINE, limit, self._boot_mark)
        if not match:
            waited = f"{time.monotonic() - started:.1f} s"
            raise self.error(f"is not up after {waited} (the limit is {limit} s)")
        self.boot_id = match[1]
        if wait == "running":
            left = limit - (time.monotonic() - started)
            self.exec("systemctl is-system-running --wait", timeout=left)
        return time.monotonic() - started

    def request(self, verb):
        """Asks systemd to go down (poweroff, reboot, halt, kexec) and returns at once."""
        self.exec(f"systemctl --no-block {verb}", check=True)

    def wait_down(self, timeout=None):
        """Waits for the end of the host. Returns the seconds it took."""
        started = time.monotonic()
        limit = timeout or self.down_timeout
        if not ended(self.process, limit):
            raise self.error(f"did not go down within {limit} s")
        self._gone()
        return time.monotonic() - started

    def poweroff(self, timeout=None):
        """`systemctl poweroff`, to the end. Returns the seconds it took."""
        started = time.monotonic()
        self.request("poweroff")
        self.wait_down(timeout)
        return time.monotonic() - started

    def reboot(self, timeout=None, wait="running", kernel_args=()):
        """`systemctl reboot`, and up again. Returns (seconds down, seconds up)."""
        started, before = time.monotonic(), self.boot_id
        self.request("reboot")
        self.wait_down(timeout)
        down = time.monotonic() - started
        up = self.boot(wait=wait, kernel_args=kernel_args)
        if self.boot_id == before:
            raise self.error("has the boot id of the boot before")
        return down, up

    def kill(self):
        """Cuts the power."""
        if self.process is not None:
            self._kill()
            self.process.wait()
            self._gone()

    def _kill(self):
        self.process.kill()

    def _gone(self):
        self._reader.join(10)
        self.process = None
        self._stopped()

    def remove(self):
        """Ends the host and deletes all it had."""
        self.kill()
        self._destroy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    # Commands.
    def spawn(self, script, stdin=b""):
        """Starts a bash script in the host and returns its Command at once."""
        if not self.is_up:
            raise self.error(f"is down, cannot run: {script}")
        return Command(self._connect(), script, stdin)

    def exec(self, script, timeout=60, check=False, stdin=b""):
        """Runs a bash script as root to its end. Returns (rc, out), out with standard error.

        The time limit is that of a container; an emulated machine gets more (`patience`).
        With check=True a code other than 0 is an error.
        """
        timeout *= self.patience
        try:
            command = self.spawn(script, stdin)
            result = command.wait(timeout)
        except TimeoutError:
            self.stop(command)
            raise self.error(f"still runs after {timeout} s: {script}") from None
        except (ChannelClosed, OSError) as problem:
            raise self.error(f"{problem}: {script}") from None
        if check and result.rc:
            raise self.error(f"exit code {result.rc}: {script}\n{result.out.rstrip()}")
        return result

    def stop(self, command):
        """Kills a command that still runs, and its children."""
        command.close()
        if command.pid:
            Command(self._connect(), f"kill -KILL -- -{command.pid}; kill -KILL {command.pid}")

    def out(self, script, timeout=60):
        """What a script writes, without white space at the ends; it must succeed."""
        return self.exec(script, timeout, check=True).out.strip()

    def run_streamed(self, script, output, timeout=None):
        """Runs a script and writes its output to a binary stream as it comes. Returns rc."""
        command = self.spawn(script)
        for chunk in command.chunks(timeout):
            output.write(chunk)
            output.flush()
        return command.rc

    # Files.
    def read_file(self, path):
        """The bytes of a file, host up or down. FileNotFoundError when there is none."""
        if not self.is_up:
            return self._read_offline(path)
        result = self.exec(f"test -e '{path}' || exit 44; base64 -w0 '{path}'")
        if result.rc == 44:
            raise FileNotFoundError(path)
        if result.rc:
            raise self.error(result.out)
        return base64.b64decode(result.out)

    def put_file(self, path, data, mode=0o644):
        """Writes a file (bytes or str), host up or down; folders are made."""
        data = data.encode() if isinstance(data, str) else data
        if not self.is_up:
            self._write_offline(path, data, mode)
            return
        script = f"mkdir -p \"$(dirname '{path}')\" && cat >'{path}' && chmod {mode:o} '{path}'"
        self.exec(script, stdin=data, check=True)

    def put_files(self, files, mode=0o644):
        """Writes many files ({path: bytes or str}) in one go; the host is up."""
        self.exec("tar -xf - -C /", stdin=archive(files, mode), check=True)

    def journal(self, *args, timeout=60):
        """What `journalctl ARGS…` says, host up or down. All boots, unless args say else."""
        if self.is_up:
            quoted = " ".join(f"'{arg}'" for arg in args)
            return self.out(f"journalctl --no-pager {quoted}", timeout)
        with tempfile.TemporaryDirectory() as folder:
            self._export_journal(folder)
            done = subprocess.run(["journalctl", "--no-pager", "-D", f"{folder}/journal", *args],
                                  capture_output=True, text=True, timeout=timeout, check=False)
        return done.stdout.strip()

    def error(self, message):
        return HostError(f"{self.kind} host {message}\n  console ends:\n{self.console.tail()}")
