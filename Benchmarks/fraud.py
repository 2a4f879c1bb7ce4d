#!/usr/bin/env python3
"""A fraud check on every payment: a tabular model at 2,000 requests a second, one by one.

Requests arrive as those of many independent clients do (Poisson), whether answers have come or
not, and each is timed from when it was due. The aim: p99 below 5 ms with less than one core of the
node's processor time. Exits with 1 if the aim is missed or a request fails.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import open_loop
import outputs
from machine import describe_machine
from peers.paths import progress

P99_MS_MAX = 5.0
CORES_MAX = 1.0


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000.0, help="a second (%(default)g)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a round (%(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.rounds = 2.0, 1
    return open_loop.run("fraud check", lambda: report(arguments))


def report(arguments: argparse.Namespace) -> int:
    """Measure, print, and judge: the exit code."""
    rounds = measure(arguments)
    show(rounds, arguments)
    good = [
        each.errors == 0 and each.p99_ms < P99_MS_MAX and each.node_cores < CORES_MAX
        for each in rounds
    ]
    return 0 if all(good) else 1


def measure(arguments: argparse.Namespace) -> list[open_loop.Window]:
    """The rounds, after one that warms the node up."""
    flags = [f"--rate={arguments.rate:g}", "--arrivals=poisson"]
    rounds = []
    with open_loop.node("tabular") as (server, subject, folder):
        open_loop.load(server, subject, folder, 2, flags)
        for number in range(1, arguments.rounds + 1):
            progress(f"round {number} of {arguments.rounds}")
            seed = [f"--seed={number}"]
            rounds.append(
                open_loop.load(server, subject, folder, arguments.seconds, [*flags, *seed])
            )
    return rounds


def show(rounds: list[open_loop.Window], arguments: argparse.Namespace) -> None:
    """The table, and the file that was asked for."""
    print(f"- {describe_machine()}")
    print(
        f"- {arguments.rate:,.0f} requests a second over gRPC, Poisson arrivals, "
        f"{arguments.seconds:g} s a round\n"
    )
    print(
        "| round | requests | failed | p50 ms | p99 ms | p99.9 ms | largest ms "
        "| sent late, p99 ms | node, cores |"
    )
    print("| --: " * 9 + "|")
    for number, each in enumerate(rounds, 1):
        lag = "" if each.lag_p99_ms is None else f"{each.lag_p99_ms:.2f}"
        print(
            f"| {number} | {each.requests} | {each.errors} | {each.p50_ms:.2f} "
            f"| {each.p99_ms:.2f} | {each.p999_ms:.2f} | {each.max_ms:.2f} "
            f"| {lag} | {each.node_cores:.2f} |"
        )
    outputs.write_json(arguments.json, [dataclasses.asdict(each) for each in rounds], indent=2)


if __name__ == "__main__":
    sys.exit(main())
