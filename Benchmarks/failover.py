#!/usr/bin/env python3
"""What clients of a gateway notice when one of its three nodes fails: errors, and for how long.

A steady load of predictions over REST, in Poisson arrivals, goes through a gateway with default
settings but for the health checks, which are those of the table's heading. Times are from when a
request was due to its answer. The load is back to normal at the beginning of the first second whose
p99 is at most twice that of before the fault, or 10 ms more.
"""

import argparse
import collections
import dataclasses
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import failover_matrix
import numpy as np
import options
import outputs
from end_to_end import launching
from failover_faults import CUT_OFF, FAULTS, ROLLED, Scene, faults
from harness.networks import why_none
from harness.open_loop import OpenLoop, Request
from machine import describe_machine
from peers.paths import ROOT, progress
from timelines import Bucket, Timeline, draw

IMAGE = ROOT / "docs/images/failover.svg"
BUCKET_SECONDS = 0.1
# Beyond it the figures are the generator's more than the gateway's.
LAG_MS_MAX = 20.0
HEAD = (
    *("one node of three is", "requests", "failed", "p50 / p99 ms before", "during", "after"),
    *("longest ms", "out of use after s", "p99 normal after s"),
)
MARKERS = ("<!-- failover: begin -->", "<!-- failover: end -->")


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of a load through one fault. Times are seconds from the fault."""

    name: str
    healed: float
    # When the node was taken out of use; None if it never was.
    out_of_use: float | None
    # When p99 was back to normal; None if it never was.
    normal: float | None
    requests: int
    failures: dict[str, int]
    # How late requests were sent, 99th percentile: the generator's own fault.
    lag_p99_ms: float
    # p50, p99 and largest latency in milliseconds, before, during and after the fault.
    before: tuple[float, float, float]
    during: tuple[float, float, float]
    after: tuple[float, float, float]
    buckets: list[Bucket]


# MARK: Measuring


def measure(name: str, arguments: argparse.Namespace) -> Row:
    """One fault, with nodes and a gateway of its own."""
    progress(name)
    with ExitStack() as scope:
        launcher = scope.enter_context(launching("failover"))
        inner = scope.enter_context(ExitStack())
        scene = FAULTS[name](launcher, inner)
        watch = Watch(scene)
        with OpenLoop(scene.trio.gateway.address, rate=arguments.rate, patience=10) as load:
            time.sleep(arguments.warm_up + arguments.before)
            with watch:
                began = time.monotonic()
                with scene.fault():
                    time.sleep(arguments.hold if name != ROLLED else 0)
                    healed = time.monotonic() - began
                time.sleep(arguments.after)
        return row(name, load.requests, watch.out_of_use, began, healed, arguments)


class Watch:
    """When the gateway first takes a node out of use, as its admin port says."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.out_of_use: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        began, was_used = time.monotonic(), self.scene.trio.is_used(self.scene.struck)
        while not self._stopping.wait(0.02):
            is_used = self.scene.trio.is_used(self.scene.struck)
            if was_used and not is_used:
                self.out_of_use = time.monotonic() - began
                return
            was_used = is_used


def row(
    name: str,
    requests: list[Request],
    out_of_use: float | None,
    began: float,
    healed: float,
    arguments: argparse.Namespace,
) -> Row:
    """The figures of one fault."""
    counted = [each for each in requests if each.due - began >= -arguments.before]
    due = np.array([each.due - began for each in counted])
    took = np.array([each.seconds * 1000 for each in counted])
    failed = np.array([each.failure is not None for each in counted])
    before = percentiles(took[due < 0])
    normal_ms = max(2 * before[1], before[1] + 10)
    kinds = collections.Counter(each.failure for each in counted if each.failure)
    return Row(
        name=name,
        healed=healed,
        out_of_use=out_of_use,
        normal=back_to_normal(due, np.where(failed, np.inf, took), normal_ms),
        requests=len(counted),
        failures=dict(kinds.most_common(10)),
        lag_p99_ms=float(np.percentile([(each.sent - each.due) * 1000 for each in counted], 99)),
        before=before,
        during=percentiles(took[(due >= 0) & (due < healed)]),
        after=percentiles(took[due >= healed]),
        buckets=list(buckets(due, took, failed)),
    )


def percentiles(milliseconds: np.ndarray) -> tuple[float, float, float]:
    """p50, p99 and the largest."""
    if not len(milliseconds):
        return 0.0, 0.0, 0.0
    p50, p99, most = np.percentile(milliseconds, [50, 99, 100])
    return float(p50), float(p99), float(most)


def back_to_normal(due: np.ndarray, took: np.ndarray, normal_ms: float) -> float | None:
    """Where the first second begins, from the fault on, whose p99 is normal."""
    for start in np.arange(0, due.max() - 1, BUCKET_SECONDS):
        second = took[(due >= start) & (due < start + 1)]
        if len(second) and np.percentile(second, 99, method="higher") <= normal_ms:
            return float(start)
    return None


def buckets(due: np.ndarray, took: np.ndarray, failed: np.ndarray) -> Iterator[Bucket]:
    """The requests by when they were due."""
    numbers = np.floor(due / BUCKET_SECONDS).astype(int)
    for number in range(numbers.min(), numbers.max() + 1):
        its = numbers == number
        p50, p99, _ = percentiles(took[its])
        yield Bucket(
            start=number * BUCKET_SECONDS,
            seconds=BUCKET_SECONDS,
            requests=int(its.sum()),
            failures=int(failed[its].sum()),
            p50_ms=p50,
            p99_ms=p99,
        )


def measure_all(arguments: argparse.Namespace) -> int:
    """The faults that were asked for, one after the other; 1 if a request failed."""
    names = arguments.only or list(FAULTS)
    if why_none() and CUT_OFF in names:
        names.remove(CUT_OFF)
        progress(f"nothing is cut off: {why_none()}")
    rows = [measure(name, arguments) for name in names]
    write(rows, arguments)
    return 1 if any(each.failures for each in rows) else 0


# MARK: Report


def markdown(rows: list[Row], arguments: argparse.Namespace) -> str:
    """The table, and what failed."""
    lines = [
        f"- {describe_machine()}",
        f"- {arguments.rate:g} requests a second; checks every {faults.CHECK_INTERVAL_SECONDS:g} s "
        f"with a limit of {faults.CHECK_TIMEOUT_SECONDS:g} s, so that the probe time is "
        f"{faults.PROBE_SECONDS:g} s",
        "",
        *outputs.table(HEAD, map(cells, rows)),
    ]
    failures = [
        f"- {each.name}: {count} x {' '.join(kind.split())}"
        for each in rows
        for kind, count in each.failures.items()
    ]
    late = [
        f"- {each.name}: not quiet, requests were sent {each.lag_p99_ms:.0f} ms late (p99)"
        for each in rows
        if each.lag_p99_ms > LAG_MS_MAX
    ]
    remarks = [*failures, *late]
    return "\n".join([*lines, *([""] if remarks else []), *remarks]) + "\n"


def cells(row: Row) -> list[str]:
    """A line of the table."""
    phases = (row.before, row.during, row.after)
    return [
        row.name,
        f"{row.requests:,}",
        f"{sum(row.failures.values()):,}",
        *(f"{p50:.1f} / {p99:.1f}" for p50, p99, _ in phases),
        f"{max(most for _, _, most in phases):,.0f}",
        seconds(row.out_of_use),
        seconds(row.normal),
    ]


def seconds(value: float | None) -> str:
    """A dash where it never came."""
    return "-" if value is None else f"{value:.1f}"


def write(rows: list[Row], arguments: argparse.Namespace) -> None:
    """The table, and the files that were asked for."""
    text = markdown(rows, arguments)
    print(text, end="")
    outputs.write(arguments, text, [dataclasses.asdict(each) for each in rows], MARKERS)
    if arguments.image:
        timelines = [Timeline(each.name, each.buckets, each.healed) for each in rows]
        title = "Latency through faults, in buckets of 100 ms"
        arguments.image.write_text(draw(title, timelines), encoding="utf-8")


def main() -> int:
    """Measure, print, draw; 1 if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second (%(default)g)")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds (%(default)g)")
    parser.add_argument("--before", type=float, default=4.0, help="seconds (%(default)g)")
    parser.add_argument("--hold", type=float, default=6.0, help="of the fault (%(default)g)")
    parser.add_argument("--after", type=float, default=6.0, help="seconds (%(default)g)")
    parser.add_argument(
        "--only", action="append", choices=list(FAULTS), help="this fault; may be repeated"
    )
    parser.add_argument(
        "--matrix",
        type=int,
        metavar="RUNS",
        help="in place of these faults, those of a wire, at each place, so often",
    )
    parser.add_argument(
        "--run-seconds", type=float, default=2.0, help="of a run of the matrix (%(default)g)"
    )
    options.add_outputs(parser, tables="the table", figures="every bucket")
    parser.add_argument("--image", type=Path, metavar="FILE", help=f"draw, such as {IMAGE.name}")
    parser.add_argument(
        "--quick", action="store_true", help="of the matrix one short run of each (6 minutes)"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.matrix, arguments.run_seconds, arguments.rate = 1, 1.5, 150.0
    work = failover_matrix.main if arguments.matrix else measure_all
    return options.run(lambda: work(arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
