# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a host says on its console: kept in a file, and something to wait for."""

import re
import threading
import time

# Colours, cursor movements and titles, which are meant for a terminal.
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[=>]|[\r\x00]")


class Console:
    """Reads a host's output until it closes. One console serves all boots of a host."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self._changed = threading.Condition()
        self._open = False

    def attach(self, stream):
        """Starts to read a binary stream; the former one has to be at its end."""
        self._open = True
        thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _read(self, stream):
        with open(self.path, "a", encoding="utf-8") as log:
            for raw in stream:
                line = _TERMINAL.sub("", raw.decode(errors="replace")).rstrip()
                log.write(line + "\n")
                log.flush()
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        stream.close()
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def mark(self):
        """A place to wait from: only lines after it count."""
        with self._changed:
            return len(self.lines)

    def wait_for(self, pattern, timeout, since=0):
        """The match of the first line that has `pattern`, or None at timeout or end of output."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self.lines[since:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                since = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or not self._open:
                    return None
                self._changed.wait(left)

    def tail(self, count=25):
        with self._changed:
            return "\n".join("    " + line for line in self.lines[-count:])
