# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which benchmarks there are. Those that share a host and its guests are measured together."""

import json
import re
import subprocess
import sys

import autoshutdown
import cycles
import fleetwide
import idle
import latency
import learned
import limits
from bed import BenchError, HostError
from report import Result, size_of

SIZES = (10, 30, 100)
CYCLE = re.compile(r"(shutdown|boot|save|restore)-[1-9]\d*")
TEST_DRIVER = re.compile(r"testdriver-([1-9]\d*)(?:x([1-9]\d*))?")
PLAN = re.compile(r"plan-[1-9]\d*")
LIMITS = re.compile(r"limits-[1-9]\d*")
FLEET = re.compile(r"fleet-[1-9]\d*")
LATENCY_GUESTS = {"latency-request": 100, "latency-drained": 30}
# Name: a function of (options), which gives results.
SINGLE = {
    "idle": lambda options: [idle.measure([options.deb])],
    "learned": lambda options: [learned.measure([options.deb], options.runs)],
    "latency-request": lambda options: [latency.request(
        [options.deb], LATENCY_GUESTS["latency-request"], options.runs)],
    "latency-drained": lambda options: [latency.drained(
        [options.deb], LATENCY_GUESTS["latency-drained"], options.runs)],
    "latency-status": lambda options: [latency.status([options.deb])],
    "auto-shutdown-shutdown": lambda options: [autoshutdown.measure(
        [options.deb_trixie], "shutdown", options.runs)],
    "auto-shutdown-save": lambda options: [autoshutdown.measure(
        [options.deb_trixie], "save", options.runs)],
    "auto-shutdown-save-sparse": lambda options: [autoshutdown.measure(
        [options.deb_trixie], "save", options.runs, image_format="sparse")],
}
DEFAULT = [*(f"{half}-{size}" for size in SIZES for halves in cycles.WAYS.values()
             for half in halves),
           "testdriver-100", "testdriver-1000", "testdriver-5000", "testdriver-100x50",
           *(f"plan-{size}" for size in (1000, 10000, 30000, 100000)), "limits-100", "fleet-10000", *SINGLE]


def knows(name):
    return name in SINGLE or any(pattern.fullmatch(name)
                                 for pattern in (CYCLE, TEST_DRIVER, PLAN, LIMITS, FLEET))


def cannot(name, options):
    """Why this one cannot be measured with what was given; empty when it can."""
    if name.startswith("auto-shutdown"):
        return "" if options.deb_trixie else "give --deb-trixie, guestd's package for Debian 13"
    if PLAN.fullmatch(name):
        return "" if options.plan else "give --plan, the program guestd_bench_plan"
    if FLEET.fullmatch(name):
        return "" if options.guestctl else "give --guestctl, the program"
    return "" if options.deb else "give --deb, guestd's package"


def measure(names, options, failed):
    """Yields the results, in the order of the names; those of one host come together.

    One that cannot be measured is told on standard error and appended to `failed`; the others go
    on.
    """
    done = set()
    for name in names:
        if name in done:
            continue
        together = [each for each in names if CYCLE.fullmatch(name) and CYCLE.fullmatch(each) and
                    size_of(each) == size_of(name)] or [name]
        done.update(together)
        if reason := cannot(name, options):
            print(f"{name} is left out: {reason}", file=sys.stderr)
            continue
        try:
            yield from group(together, options)
        except (BenchError, HostError, OSError, subprocess.SubprocessError) as problem:
            print(f"{', '.join(together)} failed: {problem}", file=sys.stderr)
            failed.extend(together)


def group(names, options):
    """The results of benchmarks that share a host."""
    name = names[0]
    if CYCLE.fullmatch(name):
        return cycles.real([options.deb], size_of(name), names, options.runs)
    if found := TEST_DRIVER.fullmatch(name):
        servers, count = (int(found[1]), int(found[2])) if found[2] else (1, int(found[1]))
        return cycles.test_driver([options.deb], name, count, servers, options.runs)
    if PLAN.fullmatch(name):
        return [plan(name, options)]
    if LIMITS.fullmatch(name):
        return limits.measure([options.deb], name, size_of(name), options.runs)
    if FLEET.fullmatch(name):
        return [fleetwide.measure(options.guestctl, size_of(name))]
    return SINGLE[name](options)


def plan(name, options):
    """Another program's: it prints {"guests": N, "seconds": …} and further figures."""
    command = [options.plan, str(size_of(name))]
    figures = [json.loads(subprocess.run(command, check=True, capture_output=True,
                                         text=True).stdout.splitlines()[-1])
               for _ in range(options.runs)]
    return Result(name, size_of(name), {"guestd": [each.pop("seconds") for each in figures]},
                  {key: value for key, value in figures[0].items() if key != "guests"})
