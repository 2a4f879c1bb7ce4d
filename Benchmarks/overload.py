#!/usr/bin/env python3
"""Half of what a node can do, all of it, and ten times as much: what is answered, and how fast?

The node's most is measured first, by clients that always wait. Then requests arrive as those of
many independent clients do (Poisson) at multiples of that. Refusals are timed as answers are: from
when a request was due until its refusal has come.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import open_loop
import outputs
from machine import describe_machine
from peers.paths import progress
from peers.subjects import SUBJECTS


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of a load of so many times the most."""

    factor: float
    window: open_loop.Window

    def share_of(self, most: float) -> float:
        """Good answers, as a share of the most."""
        return self.window.rate / most


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="bert_base", choices=[each.name for each in SUBJECTS], help="%(default)s"
    )
    parser.add_argument(
        "--factors",
        default="0.5,1,2,10",
        type=lambda text: [float(word) for word in text.split(",")],
        help="multiples of the most, in their order (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each (%(default)g)")
    parser.add_argument(
        "--waiting", type=int, default=16, metavar="N", help="clients that find the most (16)"
    )
    parser.add_argument(
        "--flag",
        action="append",
        default=[],
        help="of the node, such as --flag=--target-latency-ms-p99=500; may be repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every row")
    arguments = parser.parse_args()
    return open_loop.run("overload", lambda: report(arguments))


def report(arguments: argparse.Namespace) -> int:
    """Measure, print, and judge: the exit code."""
    most, rows = measure(arguments)
    show(most, rows, arguments)
    return 0


def measure(arguments: argparse.Namespace) -> tuple[float, list[Row]]:
    """The most, and a row for each multiple of it."""
    rows = []
    with open_loop.node(arguments.model, *arguments.flag) as (server, subject, folder):

        def load(seconds: float, *flags: str) -> open_loop.Window:
            return open_loop.load(server, subject, folder, seconds, flags, may_refuse=True)

        waiting = f"--concurrency={arguments.waiting}"
        load(2, waiting)
        most = load(arguments.seconds, waiting).rate
        for factor in arguments.factors:
            progress(f"{factor:g} times {most:,.0f} requests a second")
            rate = f"--rate={factor * most:.3f}"
            rows.append(Row(factor, load(arguments.seconds, rate, "--arrivals=poisson")))
    return most, rows


def show(most: float, rows: list[Row], arguments: argparse.Namespace) -> None:
    """The table, and the file that was asked for."""
    print(f"- {describe_machine()}")
    flags = " ".join(arguments.flag) or "no flags of its own"
    print(
        f"- {arguments.model}, {flags}: {most:,.1f} requests a second over gRPC by "
        f"{arguments.waiting} clients that wait; {arguments.seconds:g} s a row\n"
    )
    print(
        "| load | requests | answered/s | of the most | p50 ms | p99 ms | refused or failed "
        "| refusal p99 ms | largest ms | node, cores |"
    )
    print("| --: " * 10 + "|")
    for row in rows:
        each = row.window
        print(
            f"| {row.factor:g} x | {each.requests} | {each.rate:,.1f} | {row.share_of(most):.0%} "
            f"| {each.p50_ms:.2f} | {each.p99_ms:.2f} | {each.errors} "
            f"| {milliseconds(each.refusal_p99_ms)} | {milliseconds(each.refusal_max_ms)} "
            f"| {each.node_cores:.2f} |"
        )
    outputs.write_json(arguments.json, [dataclasses.asdict(row) for row in rows], indent=2)


def milliseconds(value: float | None) -> str:
    """Empty where nothing was refused."""
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
