# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results as the Markdown tables of docs/performance.md."""

from report import across

MANAGERS = ("guestd", "floor", "floor-15", "stock", "stock-parallel", "libvirt", "guestd-raised",
            "floor-raised")


def number(value):
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def row(cells):
    return "| " + " | ".join(cells) + " |"


def cell(result, manager):
    """The median, and how it compares to guestd's."""
    median = result.median(manager)
    if median is None:
        return ""
    ratio = result.ratio(manager)
    if manager == "guestd" or ratio is None:
        return f"{number(median)} s"
    how = f"guestd {ratio:.2f} × that" if ratio > 0.8 else f"guestd {1 / ratio:.1f} × as fast"
    return f"{number(median)} s ({how})"


def draw(results):
    """A table of times, one of single figures, one of targets."""
    timed = [result for result in results if result.samples]
    used = [name for name in MANAGERS if any(result.taken(name) for result in timed)]
    out = []
    if timed:
        out += [row(["benchmark", *used, "runs"]), row(["---"] * (len(used) + 2))]
        out += [row([f"`{result.name}`", *(cell(result, name) for name in used),
                     str(max(len(result.taken(name)) for name in used))]) for result in timed]
    figures = [(result.name, name, value) for result in results
               for name, value in result.figures.items()]
    if figures:
        out += ["", row(["benchmark", "figure", "value"]), row(["---"] * 3)]
        out += [row([f"`{where}`", name.replace("_", " "), number(value)])
                for where, name, value in figures]
    verdicts = [(f"`{result.name}`", what, number(value), met) for result in results
                for what, value, met in result.verdicts()]
    verdicts += [("", *verdict) for verdict in across(results)]
    if verdicts:
        out += ["", row(["benchmark", "target", "value", "met"]), row(["---"] * 4)]
        out += [row([where, what.replace("_", " "), value, "yes" if met else "**no**"])
                for where, what, value, met in verdicts]
    return "\n".join(out)
