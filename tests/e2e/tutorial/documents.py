# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands and their output, as a Markdown document shows them in its ```console blocks.

    $ command           run by bash, as it stands
    > more of it        lines that the shell would ask for with its second prompt
    output              what it prints; of these lines none may be missing, and their order holds

`…` stands for anything, a line of it for any lines. Times, dates, sizes and versions are only examples.
"""

import re
from dataclasses import dataclass, field

EXAMPLES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN"),
    (r"\b\d+(\.\d+){2}\b", "VERSION"),
    (r"\b\d+(\.\d+)?(us|ms|s|min|h)\b( \d+(us|ms|s|min|h)\b)*", "TIME"),
    (r"\b\d+(\.\d+)? [KMG]iB\b", "SIZE"),
    (r"\s+", " "),
)


@dataclass
class Step:
    """One command, and the lines of output that are shown below it."""

    place: str  # document:line
    command: str
    shown: list = field(default_factory=list)

    def missing(self, output):
        """The first shown line that the output lacks after the ones before it, or None."""
        lines = iter(plain(line) for line in output.splitlines())
        for line in self.shown:
            if line.strip() in ("", "…"):
                continue
            pattern = ".*".join(re.escape(plain(part)) for part in line.split("…"))
            if not any(re.fullmatch(pattern, told) for told in lines):
                return line
        return None


def plain(line):
    """The line with one blank for many, and names for what differs from run to run."""
    for pattern, name in EXAMPLES:
        line = re.sub(pattern, name, line)
    return line.strip()


def steps(path):
    """The steps of a document, in their order."""
    found, inside = [], False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append(Step(f"{path.name}:{number}", line[2:]))
        elif inside and not found:
            raise ValueError(f"{path.name}:{number}: output of no command")
        elif inside and line.startswith("> ") or inside and line == ">":
            found[-1].command += "\n" + line[2:]
        elif inside:
            found[-1].shown.append(line)
    return found
