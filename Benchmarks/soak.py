#!/usr/bin/env python3
"""Five minutes at 80 % of what a node can do: do its memory or its answer times grow?

The node's most is measured first, by clients that always wait. The load is then 80 % of that, in
Poisson arrivals, in windows of ten seconds. The slopes are by least squares over the windows; the
first is left out, in which memory is still being taken for the first time.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import open_loop
import outputs
from machine import describe_machine
from peers import lines
from peers.paths import progress
from peers.subjects import SUBJECTS

MIB = 1 << 20
WAITING_CLIENTS = 64


def main() -> int:
    """Measure, print, draw; 1 if a request fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="in all (%(default)g)")
    parser.add_argument("--window", type=float, default=10.0, help="seconds (%(default)g)")
    parser.add_argument("--share", type=float, default=0.8, help="of the most (%(default)g)")
    parser.add_argument(
        "--model", default="tabular", choices=[each.name for each in SUBJECTS], help="%(default)s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every window")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the windows as SVG")
    arguments = parser.parse_args()
    return open_loop.run("soak", lambda: report(arguments))


def report(arguments: argparse.Namespace) -> int:
    """Measure, print, and judge: the exit code."""
    rate, windows = measure(arguments)
    show(rate, windows, arguments)
    return 0 if sum(each.errors for each in windows) == 0 else 1


def measure(arguments: argparse.Namespace) -> tuple[float, list[open_loop.Window]]:
    """The rate of the load, and its windows."""
    windows = []
    with open_loop.node(arguments.model) as (server, subject, folder):
        waiting = [f"--concurrency={WAITING_CLIENTS}"]
        most = open_loop.load(server, subject, folder, 5, waiting).rate
        rate = most * arguments.share
        flags = [f"--rate={rate:.0f}", "--arrivals=poisson", "--warm-up-seconds=0.5"]
        count = max(2, round(arguments.seconds / arguments.window))
        for number in range(1, count + 1):
            progress(f"window {number} of {count}: {rate:,.0f} requests a second")
            seed = f"--seed={number}"
            windows.append(
                open_loop.load(server, subject, folder, arguments.window, [*flags, seed])
            )
    return rate, windows


def slope(values: list[float], seconds: float) -> float:
    """By how much values that lie so many seconds apart rise in an hour."""
    if len(values) < 3:
        return 0.0
    times = np.arange(1, len(values)) * seconds / 3600
    return float(np.polyfit(times, values[1:], 1)[0])


def show(rate: float, windows: list[open_loop.Window], arguments: argparse.Namespace) -> None:
    """The table, the slopes, and the files that were asked for."""
    memory = [each.resident_bytes / MIB for each in windows]
    tails = [each.p99_ms for each in windows]
    print(f"- {describe_machine()}")
    print(
        f"- {arguments.model}: {rate:,.0f} requests a second ({arguments.share:.0%} of the most) "
        "over gRPC, Poisson arrivals"
    )
    print(
        f"- slopes: memory {slope(memory, arguments.window):+.1f} MiB an hour, "
        f"p99 {slope(tails, arguments.window):+.3f} ms an hour\n"
    )
    print("| until s | requests/s | failed | p50 ms | p99 ms | p99.9 ms | memory MiB | cores |")
    print("| --: " * 8 + "|")
    for number, (each, held) in enumerate(zip(windows, memory, strict=True), 1):
        print(
            f"| {number * arguments.window:.0f} | {each.rate:,.0f} | {each.errors} "
            f"| {each.p50_ms:.2f} | {each.p99_ms:.2f} | {each.p999_ms:.2f} | {held:.1f} "
            f"| {each.node_cores:.2f} |"
        )
    outputs.write_json(arguments.json, [dataclasses.asdict(each) for each in windows], indent=2)
    if arguments.plot:
        panels = [lines.Panel("memory, MiB", memory), lines.Panel("p99, ms", tails)]
        arguments.plot.write_text(lines.draw(panels, arguments.window), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
