#!/usr/bin/env python3
"""Requests through version swaps, config reloads and SIGTERM: none lost, none doubled.

A node with batching answers a steady load over REST and gRPC, while versions are added and removed
and the configuration is reloaded. At the end it is told to stop in the middle of the load. Every
request holds a number of its own, and its answer must be that number's. A refused connection is
tried again, as nothing was sent; nothing else is.
"""

import argparse
import itertools
import signal
import sys
import time
from dataclasses import dataclass, field

from end_to_end import launching
from harness import models
from harness.processes import Launcher
from harness.swaps import Ledger, LoadThread, Swapper


@dataclass
class Bounds:
    """When the load ends."""

    requests: int
    seconds: float
    began: float = field(default_factory=time.monotonic)

    def reached(self, ledger: Ledger) -> bool:
        """Whether enough was asked, or for long enough."""
        late = time.monotonic() - self.began >= self.seconds
        return late or ledger.sent >= self.requests


def main() -> int:
    """Run the load, print the counts; 1 if a request was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=3600.0, help="at most (%(default)g)")
    parser.add_argument("--threads", type=int, default=4, help="of each protocol (%(default)s)")
    arguments = parser.parse_args()
    with launching("swaps") as launcher:
        ledger, swapper = run(launcher, arguments)
    print(
        "| requests sent | answered | connection refused "
        "| lost | wrong or doubled | swaps | reloads |"
    )
    print("| --: | --: | --: | --: | --: | --: | --: |")
    print(
        f"| {ledger.sent} | {ledger.answered} | {ledger.unsent} "
        f"| {len(ledger.failures)} | {len(ledger.wrong)} | {swapper.swaps} | {swapper.reloads} |"
    )
    for failure in [*ledger.failures, *ledger.wrong][:10]:
        print(failure, file=sys.stderr)
    return 1 if ledger.failures or ledger.wrong else 0


def run(launcher: Launcher, arguments: argparse.Namespace) -> tuple[Ledger, Swapper]:
    """The load, from the first request to the process's end."""
    model = models.model_folder(launcher.directory / "models")
    node = launcher.serve({"half_plus_two": model}, "--enable-batching")
    ledger = Ledger()
    numbers = itertools.count(1)
    threads = [
        LoadThread(kind, node.address, ledger, numbers)
        for kind in ("rest", "grpc") * arguments.threads
    ]
    bounds = Bounds(arguments.requests, arguments.seconds)
    swapper = Swapper(node, model)
    for thread in threads:
        thread.start()
    while not bounds.reached(ledger):
        swapper.step()
    node.stop(signal.SIGTERM)
    for thread in threads:
        thread.stop()
    return ledger, swapper


if __name__ == "__main__":
    sys.exit(main())
