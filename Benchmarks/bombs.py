#!/usr/bin/env python3
"""How long a node takes to refuse each bomb, from the first byte sent to its answer.

The bombs are made ready beforehand, byte by byte, and sent through a bare socket: making and
compressing them takes this client far longer than the node takes to refuse them.
"""

import statistics
import sys
from pathlib import Path

from end_to_end import launching
from harness.raw_bombs import BOMBS, RestBomb, refuse

ROUNDS = 15
NANOSECONDS = 1e9


def main() -> int:
    """Send each bomb a few times and print how long that took, and the node's processor time."""
    with launching("bombs") as launcher:
        node = launcher.serve(("half_plus_two",), "--max-message-bytes", 16 << 20)
        print(
            "| bomb | bytes sent | refused with | median ms | largest ms "
            "| processor ms of the node |\n| --- | --: | --- | --: | --: | --: |"
        )
        for kind, name in BOMBS:
            bomb = kind(name)
            before = processor_seconds(node.pid)
            refusals = [refuse(bomb, node.address) for _ in range(ROUNDS)]
            used = (processor_seconds(node.pid) - before) / ROUNDS
            times = [seconds * 1000 for _, seconds in refusals]
            protocol = "REST" if kind is RestBomb else "gRPC"
            print(
                f"| {protocol}, {name} | {len(bomb.payload)} | {refusals[0][0]} "
                f"| {statistics.median(times):.1f} | {max(times):.1f} | {used * 1000:.1f} |",
                flush=True,
            )
    return 0


def processor_seconds(pid: int) -> float:
    """What the threads of a process have run for."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / NANOSECONDS


if __name__ == "__main__":
    sys.exit(main())
