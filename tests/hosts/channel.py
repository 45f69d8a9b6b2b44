# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands in a running host: one connection each, answered by rootfs/usr/lib/guestd-test/exec.

Output arrives as it is written, many commands may run at once, and nothing polls.
"""

import secrets
import time
from dataclasses import dataclass


class ChannelClosed(Exception):
    """The host went away before the command ended."""


@dataclass(frozen=True)
class Result:
    """How a command ended. `out` holds standard output and error, as they came."""

    rc: int
    out: str

    def __iter__(self):
        return iter((self.rc, self.out))


class Command:
    """A command that runs in the host. Iterate for its lines; `wait()` for its end."""

    def __init__(self, connection, script, stdin=b""):
        self._socket = connection
        self._nonce = secrets.token_hex(8).encode()
        self._buffer = b""
        self._end = b"\0" + self._nonce + b" "
        self.rc = None
        body = script.encode()
        connection.sendall(b"%d %d %s\n" % (len(body), len(stdin), self._nonce) + body + stdin)
        self.pid = None

    def _receive(self, deadline):
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise ChannelClosed("connection closed before the command ended")
        self._buffer += data

    def _take_pid(self, deadline):
        while self.pid is None:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self.pid, self._buffer = int(line), rest
            else:
                self._receive(deadline)

    def chunks(self, timeout=None):
        """Yields output as bytes; sets `rc` at the end. TimeoutError past the time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._take_pid(deadline)
        while True:
            output, end, code = self._buffer.partition(self._end)
            if end and code.endswith(b"\n"):
                if output:
                    yield output
                self.rc = int(code)
                self.close()
                return
            safe = 0 if end else len(self._buffer) - self._held_back()
            if safe:
                yield self._buffer[:safe]
                self._buffer = self._buffer[safe:]
            self._receive(deadline)

    def _held_back(self):
        """How many of the last bytes may be the beginning of the end mark."""
        longest = min(len(self._end), len(self._buffer))
        return next((size for size in range(longest, 0, -1)
                     if self._buffer.endswith(self._end[:size])), 0)

    def lines(self, timeout=None):
        """Yields each line as soon as it is complete. (May be left early, then `close()`.)"""
        pending = b""
        for chunk in self.chunks(timeout):
            *complete, pending = (pending + chunk).split(b"\n")
            for line in complete:
                yield line.decode(errors="replace")
        if pending:
            yield pending.decode(errors="replace")

    def wait(self, timeout=None):
        """The Result. TimeoutError past the time; the command then still runs."""
        out = b"".join(self.chunks(timeout))
        return Result(self.rc, out.decode(errors="replace"))

    def close(self):
        """Lets go of the command; it goes on until it writes."""
        self._socket.close()
