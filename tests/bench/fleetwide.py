# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fleet of hosts, each with a guestd of its own: how long a drain takes on each of them.

The real core plans every host in virtual time (`guestctl plan drain`), from a made-up list of
guests. The same seed gives the same hosts. Nothing here is central, because nothing has to be: the
question is what the slowest of many hosts needs, which is what a rolling reboot waits for.
"""

import json
import random
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from report import Result

SEED = 20261121
CORES = 2
MEMORY = (1, 2, 4, 8, 16, 32)  # GiB, each half as common as the one before
# Most guests are off within seconds; a few take minutes, and one in a hundred never obeys.
MEDIAN_SHUTDOWN, SPREAD, DEAF = 8, 0.9, 0.01
POLICY = """
[shutdown]
stop = ["shutdown 3min", "save 2min", "destroy"]
deadline = "10min"
"""


def host_of(chance):
    """One host's guests, as `guestctl plan --fleet` reads them."""
    guests = []
    for number in range(chance.choice((5, 10, 20, 40, 80))):
        takes = 3600 if chance.random() < DEAF else \
            min(300, chance.lognormvariate(0, SPREAD) * MEDIAN_SHUTDOWN)
        size = chance.choices(MEMORY, [2.0 ** -n for n in range(len(MEMORY))])[0]
        guests.append({"name": f"vm{number}", "memory": f"{size}GiB", "has_agent": True,
                       "shutdown_time": f"{takes:.0f}s"})
    return {"guest": guests, "uri": [{"uri": "qemu:///system",
                                      "save_rate": f"{chance.choice((200, 500, 1000, 2000))}MiB"}]}


def plan(guestctl, folder, number, host):
    """(seconds expected, guests late, guests) of one host."""
    file = folder / f"{number}.json"
    file.write_text(json.dumps(host))
    # 4: somebody would be late, which is an answer.
    done = subprocess.run([guestctl, "--json", "plan", "drain", "--fleet", file,
                           "--config", folder / "guestd.toml"],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        raise OSError(f"guestctl plan: {done.stderr}")
    file.unlink()
    expected = json.loads(done.stdout)["expected"]
    return expected["length_usec"] / 1e6, expected["late"], len(host["guest"])


def measure(guestctl, hosts):
    chance = random.Random(SEED)
    fleet = [host_of(chance) for _ in range(hosts)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(CORES) as pool:
        folder = Path(folder)
        (folder / "guestd.toml").write_text(POLICY)
        plans = list(pool.map(lambda each: plan(guestctl, folder, *each), enumerate(fleet)))
    took = time.monotonic() - begun
    lengths = sorted(length for length, _, _ in plans)
    centiles = statistics.quantiles(lengths, n=1000) if hosts > 1 else [lengths[0]] * 999
    return Result(f"fleet-{hosts}", sum(guests for _, _, guests in plans), {}, {
        "hosts": hosts, "seconds_to_plan_all": took, "ms_per_host": 1000 * took / hosts,
        "drain_s_median": centiles[499], "drain_s_99_of_100": centiles[989],
        "drain_s_999_of_1000": centiles[998], "drain_s_slowest": lengths[-1],
        "guests_late": sum(late for _, late, _ in plans)})
