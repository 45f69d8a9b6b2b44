# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program that boots hosts does first, so that it leaves nothing behind."""

import os
import select
import signal
import sys


def own_mounts():
    """Starts this program anew with mounts of its own: they vanish with it, even after SIGKILL."""
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: test hosts need root")
    if os.environ.get("GUESTD_TEST_MOUNTS") != "own":
        os.environ["GUESTD_TEST_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "slave", sys.executable,
                              *sys.argv])


def exit_on_signals():
    """SIGTERM and SIGHUP unwind as an exception does, so that hosts are removed."""
    def leave(number, _):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def ended(process, limit):
    """Waits for a child, `limit` seconds at most; whether it has ended. To the moment, for what
    times it: wait(timeout=) of Popen looks every 50 ms."""
    if process.poll() is not None:
        return True
    fd = os.pidfd_open(process.pid)
    try:
        waiting = select.poll()
        waiting.register(fd, select.POLLIN)
        if waiting.poll(limit * 1000):
            process.wait()
            return True
        return False
    finally:
        os.close(fd)
