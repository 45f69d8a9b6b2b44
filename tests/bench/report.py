# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a benchmark found: samples, medians, ratios to guestd, and whether the targets are met.

A ratio is taken within each round, where both ran minutes apart on the same guests, and the median
of these is told: what slows a machine down for a while slows everybody down.
"""

import math
import re
import statistics
from dataclasses import dataclass, field

# against: at least so many times as fast. slower: at most so many times the time. over: the same, of
# the floor's. within: seconds.
TARGETS = {
    "save-30": {"against": ("stock", 12), "over": 1.10},
    "restore-30": {"against": ("stock", 1.9), "over": 1.10},
    "shutdown-30": {"against": ("stock-parallel", 2.8), "over": 1.15},
    "shutdown-100": {"over": 1.15}, "save-100": {"over": 1.15}, "restore-100": {"over": 1.15},
    "auto-shutdown-shutdown": {"slower": ("libvirt", 1.3)},
    "auto-shutdown-save": {"against": ("libvirt", 5)},
    "auto-shutdown-save-sparse": {"against": ("libvirt", 5)},
    "testdriver-1000": {"against": ("stock-parallel", 30), "over": 1.25},
    "plan-10000": {"within": 1}, "plan-100000": {"within": 15},
}
# Of single figures, at most.
LIMITS = {
    ("shutdown-30", "guestd_peak_mib"): 25, ("save-30", "guestd_peak_mib"): 25,
    ("testdriver-5000", "guestd_peak_mib"): 120,
    ("idle", "cpu_percent"): 0.1, ("latency-request", "guestd_ms"): 50,
    ("latency-drained", "drained_ms"): 50, ("latency-status", "status_ms"): 20,
}


@dataclass
class Result:
    """Of one benchmark. `samples`: seconds of each manager by round; None where it had no turn."""

    name: str
    guests: int
    samples: dict = field(default_factory=dict)
    figures: dict = field(default_factory=dict)  # name: one number or text
    busy: float = 0  # the share of the machine that others used before the measurements, median

    def taken(self, manager):
        return [sample for sample in self.samples.get(manager, []) if sample is not None]

    def median(self, manager):
        taken = self.taken(manager)
        return statistics.median(taken) if taken else None

    def ratio(self, manager):
        """guestd's time by a manager's, or None."""
        pairs = [(ours, theirs) for ours, theirs in zip(self.samples.get("guestd", []),
                                                       self.samples.get(manager, []))
                 if ours is not None and theirs is not None]
        return statistics.median(ours / theirs for ours, theirs in pairs) if pairs else None

    def verdicts(self):
        """[(target, value, met)]"""
        found = []
        target = TARGETS.get(self.name, {})
        if "against" in target:
            manager, least = target["against"]
            if (ratio := self.ratio(manager)) is not None:
                found.append((f"at least {least} times as fast as {manager}", 1 / ratio,
                              1 / ratio >= least))
        if "slower" in target:
            manager, most = target["slower"]
            if (ratio := self.ratio(manager)) is not None:
                found.append((f"at most {most} times {manager}'s time", ratio, ratio <= most))
        if "over" in target and (ratio := self.ratio("floor")) is not None:
            found.append((f"at most {target['over']} times the floor", ratio,
                          ratio <= target["over"]))
        if "within" in target and (median := self.median("guestd")) is not None:
            found.append((f"within {target['within']} s", median, median <= target["within"]))
        for (name, figure), limit in LIMITS.items():
            if name == self.name and figure in self.figures:
                value = self.figures[figure]
                found.append((f"{figure} at most {limit}", value, value <= limit))
        return found

    def as_json(self):
        managers = [manager for manager in self.samples if self.taken(manager)]
        return {"benchmark": self.name, "guests": self.guests, "samples": self.samples,
                "median": {manager: self.median(manager) for manager in managers},
                "guestd_by": {manager: self.ratio(manager) for manager in managers
                              if manager != "guestd" and self.ratio(manager) is not None},
                "figures": self.figures, "busy": round(self.busy, 3),
                "targets": [{"target": what, "value": value, "met": met}
                            for what, value, met in self.verdicts()]}

    @classmethod
    def from_json(cls, data):
        return cls(data["benchmark"], data["guests"], data["samples"], data["figures"],
                   data.get("busy", 0))

    def as_text(self):
        lines = [f"\n{self.name}   (guests: {self.guests}; machine busy with other things: "
                 f"{self.busy:.0%})"]
        for manager in self.samples:
            taken = self.taken(manager)
            if not taken:
                continue
            ratio = self.ratio(manager)
            text = f"  {manager:<15}{self.median(manager):>9.3f} s"
            text += f"   {min(taken):.3f} to {max(taken):.3f}, {len(taken)} runs" \
                if len(taken) > 1 else "   1 run"
            if manager.startswith("floor") and ratio is not None:
                text += f"; guestd takes {ratio:.2f} times that"
            elif manager != "guestd" and ratio is not None:
                text += f"; guestd is {1 / ratio:.1f} times as fast"
            lines.append(text)
        lines += [f"  {name}: {value:.3f}" if isinstance(value, float) else f"  {name}: {value}"
                  for name, value in self.figures.items()]
        lines += [f"  {'met   ' if met else 'MISSED'} {what}: {value:.2f}"
                  for what, value, met in self.verdicts()]
        return "\n".join(lines)


GROWTH = ("testdriver-100", "testdriver-5000", 0.20)


# A plan of n guests takes (n log n) to this power, at most: 1, and what a fit over few sizes may err.
PLAN_SIZES, PLAN_POWER = 4, 1.1


def across(results):
    """Verdicts over several results: [(target, value in words, met)]"""
    return growth(results) + plan_fit(results)


def plan_fit(results):
    """The power of n log n that the times of plans follow, by least squares of their logarithms."""
    times = {result.guests: result.median("guestd") for result in results
             if result.name.startswith("plan-")}
    if len(times) < PLAN_SIZES:
        return []
    power = statistics.linear_regression([math.log(n * math.log(n)) for n in times],
                                         [math.log(each) for each in times.values()]).slope
    return [(f"a plan takes (n log n)^k over {len(times)} sizes, k at most {PLAN_POWER}",
             f"{power:.3f}", power <= PLAN_POWER)]


def growth(results):
    """How much more a guest costs among many: a verdict, or none."""
    each = {result.name: result.median("guestd") / result.guests for result in results
            if result.name in GROWTH[:2] and result.median("guestd") is not None}
    if len(each) < 2:
        return []
    grown = each[GROWTH[1]] / each[GROWTH[0]] - 1
    return [(f"time per guest grows less than {GROWTH[2]:.0%} from {GROWTH[0]} to {GROWTH[1]}",
             f"{grown:+.0%}", grown < GROWTH[2])]


def size_of(name):
    """The N of NAME-N; None where there is none."""
    found = re.fullmatch(r"[a-z-]+-(\d+)", name)
    return int(found[1]) if found else None
