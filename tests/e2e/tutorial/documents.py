# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands and their output, as a Markdown document shows them in its ```console blocks.

    $ command           run by bash, as it stands
    > more of it        lines that the shell would ask for with its second prompt
    output              what it prints; of these lines none may be missing, and their order holds

`…` stands for anything, a line of it for any lines. Times, dates, sizes and versions are only examples.

A ```sh block is commands without output, one a line; in a manual page the EXAMPLES are.
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

# A command that stands in no block of commands, where nobody would type it for the test.
STRAY = re.compile(r"( {4,})?(sudo|guestctl|guestd|systemctl|virsh|busctl|\./dev|apt) ")


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


def shown(path):
    """The steps of the ```sh blocks of a document."""
    found, fence = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        place = f"{path.name}:{number}"
        if line.startswith("```"):
            fence = line if fence is None else None
        elif fence == "```sh":
            if line.strip() and not line.startswith("#"):
                found.append(Step(place, line))
        elif fence != "```console" and (fence or line.startswith("    ")) and STRAY.match(line):
            raise ValueError(f"{place}: a command that no test would find: {line.strip()}")
    return found


def examples(path):
    """The steps of a manual page's examples, where those are commands."""
    text = path.read_text().partition(".SH EXAMPLES\n.nf\n")[2].partition(".fi\n")[0]
    return [Step(path.name, line.replace("\\-", "-")) for line in text.splitlines()]


def block(path, language):
    """The first block in this language."""
    return path.read_text().split(f"```{language}\n", 1)[1].split("```", 1)[0]
