#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests of whole hosts: one folder each, with a test.py.

A test.py declares what it runs on, and one function:

    KINDS = ("container", "machine")    host kinds, each a run of its own
    MANAGERS = ("guestd",)              and/or "stock": libvirt's own tool
    TIMEOUT = 600                       seconds for one run; may be left out
    def run(context): ...               AssertionError and HostError fail, Skip skips
"""

import argparse
import importlib.util
import itertools
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))
from hosts import HOSTS, SUITES  # noqa: E402
from hosts.process import exit_on_signals, own_mounts  # noqa: E402
from support import Context, Guestd, Skip, Stock  # noqa: E402

TIMEOUT = 600
MANAGERS = ("stock", "guestd")


class TooLong(Exception):
    """A test is over its time."""


@dataclass(frozen=True)
class Run:
    """One test on one kind of host with one manager."""

    test: str
    kind: str
    manager: str
    suite: str

    def __str__(self):
        return f"{self.test} [{self.kind} {self.suite} {self.manager}]"


def load(name):
    spec = importlib.util.spec_from_file_location(f"e2e_{name.replace('-', '_')}",
                                                  HERE / name / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(text):
    first, _, step = text.partition("/")
    if not (first.isdigit() and step.isdigit() and 1 <= int(first) <= int(step)):
        raise argparse.ArgumentTypeError(f"'{text}' is no part as 1/2")
    return int(first), int(step)


def parse(known):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, default="bookworm")
    parser.add_argument("--kind", choices=HOSTS, help="only this kind of host")
    parser.add_argument("--manager", choices=MANAGERS, help="only this manager")
    parser.add_argument("--deb", action="append", default=[], metavar="WHAT",
                        help="guestd: .deb file, folder to lay over the root, or package name")
    parser.add_argument("--logs", type=Path, default=HERE.parents[1] / "build" / "e2e-logs",
                        metavar="FOLDER", help="where failed runs leave logs (%(default)s)")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="K/N",
                        help="only every N-th run, from the K-th on: for N runners side by side")
    parser.add_argument("--list", action="store_true", help="list the runs, do nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these tests")
    options = parser.parse_args()
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no test {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return options


def select(modules, options):
    for name, module in modules.items():
        if options.names and name not in options.names:
            continue
        for kind, manager in itertools.product(module.KINDS, module.MANAGERS):
            if options.kind in (None, kind) and options.manager in (None, manager):
                yield Run(name, kind, manager, options.suite)


def manager_of(run, options):
    if run.manager == "stock":
        return Stock()
    if not options.deb:
        raise Skip("no guestd to test: give --deb")
    return Guestd(options.deb)


def carry_out(run, module, options):
    """Runs a test. Returns ("PASS" | "FAIL" | "SKIP", reason)."""
    logs = options.logs / f"{run.test}-{run.kind}-{run.suite}-{run.manager}"
    limit = getattr(module, "TIMEOUT", TIMEOUT)
    context = None
    try:
        context = Context(run.kind, run.suite, manager_of(run, options), run.test)
        context.prepare()  # may take minutes, once
        signal.alarm(limit)
        module.run(context)
    except Skip as reason:
        return "SKIP", str(reason)
    except Exception as problem:
        signal.alarm(0)
        logs.mkdir(parents=True, exist_ok=True)
        if context:
            context.save_logs(logs)
        (logs / "failure.txt").write_text(traceback.format_exc())
        what = f"took longer than {limit} s" if isinstance(problem, TooLong) else str(problem)
        return "FAIL", f"{what or type(problem).__name__}\n     logs: {logs}"
    finally:
        signal.alarm(0)
        if context:
            context.close()
    return "PASS", ""


def main():
    names = sorted(path.parent.name for path in HERE.glob("*/test.py"))
    modules = {name: load(name) for name in names}
    options = parse(names)
    first, step = options.part
    runs = list(select(modules, options))[first - 1::step]
    if options.list:
        print("\n".join(map(str, runs)))
        return 0

    def too_long(*_):
        raise TooLong
    signal.signal(signal.SIGALRM, too_long)

    count = dict.fromkeys(("PASS", "FAIL", "SKIP"), 0)
    for run in runs:
        started = time.monotonic()
        verdict, reason = carry_out(run, modules[run.test], options)
        count[verdict] += 1
        tail = f": {reason}" if reason else f" ({time.monotonic() - started:.1f} s)"
        print(f"{verdict} {run}{tail}", flush=True)
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    own_mounts()
    exit_on_signals()
    sys.exit(main())
