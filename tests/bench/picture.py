# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time against number of guests, for everybody who was measured, as SVG.

A panel per benchmark; both axes are logarithmic, so that "twice as long" is the same height
everywhere and a straight line of slope one is a linear cost. Readable in print, and without colour:
each series has a mark of its own.
"""

import math
from xml.sax.saxutils import escape

from report import size_of

PANELS = ("shutdown", "boot", "save", "restore", "testdriver")
TITLES = {"shutdown": "shut down", "boot": "boot", "save": "save", "restore": "restore",
          "testdriver": "shut down, libvirt's test driver"}
SERIES = {  # colour, mark, words
    "stock": ("#b35806", "square", "libvirt-guests.sh, default settings"),
    "stock-parallel": ("#e08214", "triangle", "libvirt-guests.sh, all guests at once"),
    "guestd": ("#2166ac", "circle", "guestd"),
    "floor": ("#777777", "cross", "floor: libvirt's own time"),
}
WIDTH, HEIGHT = 330, 250  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 34, 40  # margins in it
COLUMNS = 2
LEGEND = 56


def points(results, panel):
    """{manager: [(guests, seconds)]}, ascending."""
    found = {}
    for result in results:
        if size_of(result.name) is None or not result.name.startswith(panel + "-"):
            continue
        for manager in SERIES:
            if (median := result.median(manager)) is not None:
                found.setdefault(manager, {})[result.guests] = median
    return {manager: sorted(each.items()) for manager, each in found.items()}


def ticks(low, high):
    """Powers of ten that hold low to high."""
    return [10.0 ** n for n in range(math.floor(math.log10(low)),
                                     math.ceil(math.log10(high)) + 1)]


class Axis:
    """A logarithmic axis: values to pixels."""

    def __init__(self, low, high, begin, end):
        self.low, self.span = math.log10(low), math.log10(high) - math.log10(low) or 1
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / self.span
        return self.begin + share * (self.end - self.begin)


def mark(kind, x, y, colour):
    shapes = {
        "circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>',
        "square": f'<rect x="{x - 3.3:.1f}" y="{y - 3.3:.1f}" width="6.6" height="6.6" '
                  f'fill="{colour}"/>',
        "triangle": f'<path d="M{x:.1f} {y - 4.4:.1f}l4.4 7.6h-8.8z" fill="{colour}"/>',
        "cross": f'<path d="M{x - 3.4:.1f} {y - 3.4:.1f}l6.8 6.8m0 -6.8l-6.8 6.8" '
                 f'stroke="{colour}" stroke-width="1.6"/>',
    }
    return shapes[kind]


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'


def seconds(value):
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def axes(x_axis, y_axis, counts, decades):
    out = []
    for value in decades:
        y = y_axis.at(value)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        out.append(text(LEFT - 6, y + 4, seconds(value), "end"))
    for count in counts:
        x = x_axis.at(count)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(text(x, HEIGHT - BOTTOM + 16, f"{count:,}"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "guests"))
    return out


def panel(results, name):
    """One diagram, or nothing where nothing was measured."""
    found = points(results, name)
    counts = sorted({count for series in found.values() for count, _ in series})
    if not counts:
        return ""
    times = [took for series in found.values() for _, took in series]
    decades = ticks(min(times), max(times))
    x_axis = Axis(counts[0], counts[-1], LEFT + 12, WIDTH - RIGHT - 12)
    y_axis = Axis(decades[0], decades[-1], HEIGHT - BOTTOM, TOP)
    out = [text(LEFT, 20, TITLES[name], "start", 'class="title"')]
    out += axes(x_axis, y_axis, counts, decades)
    for manager, (colour, kind, _) in SERIES.items():
        if manager not in found:
            continue
        places = [(x_axis.at(count), y_axis.at(took)) for count, took in found[manager]]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = ' stroke-dasharray="5 4"' if manager == "floor" else ""
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" '
                   f'stroke-width="1.8"{dash}/>')
        out += [mark(kind, x, y, colour) for x, y in places]
    return "\n".join(out)


def legend(width):
    out = []
    for place, (colour, kind, words) in enumerate(SERIES.values()):
        x, y = 30 + place % 2 * (width / 2), 18 + place // 2 * 20
        out += [mark(kind, x, y, colour), text(x + 12, y + 4, words, "start")]
    return "\n".join(out)


def draw(results):
    """The whole picture."""
    drawn = [each for each in (panel(results, name) for name in PANELS) if each]
    if not drawn:
        raise SystemExit("there is nothing to draw: no result with a number of guests")
    rows = math.ceil(len(drawn) / COLUMNS)
    width, height = WIDTH * COLUMNS, LEGEND + HEIGHT * rows
    body = [f'<g transform="translate({place % COLUMNS * WIDTH} '
            f'{LEGEND + place // COLUMNS * HEIGHT})">\n{each}\n</g>'
            for place, each in enumerate(drawn)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11.5">',
        "<style>.grid{stroke:#ddd;fill:none} .title{font-weight:bold;font-size:13px}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>', legend(width), *body,
        "</svg>\n"])
