# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which benchmarks there are. Those that share a host and its guests are measured together."""

import json
import re
import subprocess

import cycles
from report import Result, size_of

SIZES = (10, 30, 100)
DEFAULT = [*(f"{half}-{size}" for size in SIZES for halves in cycles.WAYS.values()
             for half in halves),
           "testdriver-100", "testdriver-1000", "testdriver-5000", "testdriver-100x50",
           "plan-1000", "plan-10000", "plan-100000"]
CYCLE = re.compile(r"(shutdown|boot|save|restore)-[1-9]\d*")
TEST_DRIVER = re.compile(r"testdriver-([1-9]\d*)(?:x([1-9]\d*))?")
PLAN = re.compile(r"plan-[1-9]\d*")


def knows(name):
    return any(pattern.fullmatch(name) for pattern in (CYCLE, TEST_DRIVER, PLAN))


def measure(names, options):
    """Yields the results, in the order of the names as far as hosts are not shared."""
    done = set()
    for name in names:
        if name in done:
            continue
        if CYCLE.fullmatch(name):
            together = [each for each in names
                        if CYCLE.fullmatch(each) and size_of(each) == size_of(name)]
            done.update(together)
            yield from cycles.real([options.deb], size_of(name), together, options.runs)
        elif found := TEST_DRIVER.fullmatch(name):
            servers, count = (int(found[1]), int(found[2])) if found[2] else (1, int(found[1]))
            yield from cycles.test_driver([options.deb], name, count, servers, options.runs)
        elif PLAN.fullmatch(name):
            yield plan(name, options)


def plan(name, options):
    """Another program's: it prints {"guests": N, "seconds": …} and further figures."""
    command = [options.plan, str(size_of(name))]
    figures = [json.loads(subprocess.run(command, check=True, capture_output=True,
                                         text=True).stdout.splitlines()[-1])
               for _ in range(options.runs)]
    return Result(name, size_of(name), {"guestd": [each.pop("seconds") for each in figures]},
                  {key: value for key, value in figures[0].items() if key != "guests"})
