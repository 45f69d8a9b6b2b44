# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where packages come from: the Debian mirror that this machine's own apt uses."""

import os
import re
from pathlib import Path


def _deb822_sources(text):
    """(types, uris, suites, components) of each stanza of a .sources file."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = dict(re.findall(r"(?m)^(\w[\w-]*):[ \t]*(.*)$", stanza))
        if fields.get("Enabled", "yes").lower() != "no":
            yield tuple(fields.get(key, "").split()
                        for key in ("Types", "URIs", "Suites", "Components"))


def _one_line_sources(text):
    """The same for the lines of a .list file."""
    for line in text.splitlines():
        match = re.match(r"\s*(deb|deb-src)\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
        if match:
            yield [match[1]], [match[2]], [match[3]], match[4].split()


def apt_sources(etc=Path("/etc/apt")):
    """Every source of apt's configuration, in apt's order."""
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix == ".sources":
            yield from _deb822_sources(path.read_text())
        elif path.suffix == ".list" and path.is_file():
            yield from _one_line_sources(path.read_text())


def mirror():
    """The mirror's URI, or None: then debootstrap's own default is right."""
    if os.environ.get("GUESTD_MIRROR"):
        return os.environ["GUESTD_MIRROR"]
    for types, uris, suites, components in apt_sources():
        release = any("-" not in suite for suite in suites)
        if "deb" in types and uris and release and "main" in components:
            return uris[0]
    return None
