# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where benchmarks run: a booted container host with guestd from its package, and the floor.

What is measured is timed inside the host, by the shell that runs the command. Nothing else of ours
runs meanwhile; before each measurement the machine is given a while to become quiet, and how busy
it still was is kept with the figures. GUESTD_BENCH_HURRY=1 waits for nothing: to try a benchmark,
not to measure.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hosts import ContainerHost, HostError

HERE = Path(__file__).resolve().parent
FLOOR = "/root/floor"
QUIET = 0.20  # share of the cores that others may use while the machine counts as quiet
QUIET_LIMIT = 20  # seconds to wait for that, at most: on a shared machine it may never come
LOOK = 0.5  # seconds: long enough for an average, QEMU's own timers included
LIMIT = 3600  # seconds for one command; the stock script takes minutes where it goes one by one


class BenchError(Exception):
    """What was measured is not what was to be measured."""


def build_floor(folder):
    """Compiles floor.cpp; returns the program."""
    program = Path(folder) / "floor"
    subprocess.run(["g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                    HERE / "floor.cpp", "-lvirt", "-pthread"], check=True)
    return program


def busy():
    """The share of this machine's cores that is in use, over a moment."""
    def read():
        numbers = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
        return sum(numbers), numbers[3] + numbers[4]  # all, idle and waiting for disks
    (all_before, idle_before), _ = read(), time.sleep(LOOK)
    all_after, idle_after = read()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


def wait_quiet():
    """Until the machine is quiet, or for a while; returns how busy it is then."""
    deadline = time.monotonic() + (0 if "GUESTD_BENCH_HURRY" in os.environ else QUIET_LIMIT)
    while (now := busy()) > QUIET and time.monotonic() < deadline:
        pass
    return now


class Bed:
    """One host, up. `with Bed(…) as bed`."""

    def __init__(self, packages, suite="bookworm"):
        self.host = ContainerHost(suite, packages, name="bench")
        self.busy = []  # before each measurement

    def __enter__(self):
        try:
            self.host.boot()
            # Test hosts copy their journal to the console, for when they hang. No server does, and
            # a line for each guest would be paid for twice.
            self.host.put_file("/etc/systemd/journald.conf.d/zz-bench.conf",
                               "[Journal]\nMaxLevelConsole=warning\n")
            self.host.exec("systemctl restart systemd-journald", check=True)
            with tempfile.TemporaryDirectory() as folder:
                self.host.put_file(FLOOR, build_floor(folder).read_bytes(), mode=0o755)
        except BaseException:
            self.host.remove()
            raise
        return self

    def __exit__(self, kind, problem, _):
        try:
            if isinstance(problem, Exception) and self.host.is_up:
                print(self.host.journal("-u", "guestd", "-n", "30", "-o", "short-precise"),
                      file=sys.stderr)
        finally:
            self.host.remove()

    def timed(self, command):
        """The seconds that a command took. It must succeed."""
        self.busy.append(wait_quiet())
        script = (f'begun=$EPOCHREALTIME; {command} >/run/bench.log 2>&1; code=$?; '
                  'ended=$EPOCHREALTIME; tail -n 5 /run/bench.log; '
                  'echo "bench: $code $((${ended/./} - ${begun/./}))"')
        out = self.host.exec(script, timeout=LIMIT).out
        code, microseconds = re.search(r"^bench: (\d+) (\d+)$", out, re.M).groups()
        if code != "0":
            raise BenchError(f"{command}: exit code {code}\n{out}")
        return int(microseconds) / 1e6

    def json(self, command):
        return json.loads(self.host.out(command))

    def until(self, question, what, timeout=60):
        """The first true answer of `question()`, which is asked of the host."""
        deadline = time.monotonic() + timeout
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise BenchError(f"not within {timeout} s: {what}")
            time.sleep(0.1)
        return answer

    def memory(self):
        """What guestd has and had at most: MiB, and threads now."""
        status = self.host.out('cat "/proc/$(systemctl show -P MainPID guestd)/status"')
        found = dict(re.findall(r"^(\w+):\s+(\d+)", status, re.M))
        return {"peak_mib": int(found["VmHWM"]) / 1024, "mib": int(found["VmRSS"]) / 1024,
                "threads": int(found["Threads"])}


__all__ = ["FLOOR", "Bed", "BenchError", "HostError", "wait_quiet"]
