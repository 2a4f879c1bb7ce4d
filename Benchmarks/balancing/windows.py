"""What became of the requests in a stretch of time, and what such windows come to together."""

import collections
import dataclasses
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import balancers
import numpy as np
from harness.open_loop import Request
from harness.processes import Gateway
from machine import ProcessorTime


@dataclasses.dataclass(frozen=True)
class Mark:
    """What had been counted at a moment."""

    time: float
    # Processor time of the whole machine, in seconds.
    busy: float
    # By gateway, the requests that each endpoint was sent.
    attempts: list[dict[str, int]]

    @staticmethod
    def now(gateways: Sequence[Gateway]) -> "Mark":
        """The counts of now."""
        endpoints = [gateway.endpoints().items() for gateway in gateways]
        return Mark(
            time=time.monotonic(),
            busy=ProcessorTime.now().busy,
            attempts=[{address: each["requests"] for address, each in its} for its in endpoints],
        )


@dataclasses.dataclass(frozen=True)
class Window:
    """What became of the requests of one algorithm that were due in a window."""

    scenario: str
    algorithm: str
    requests: int
    # Of those answered well, from when they were due.
    milliseconds: np.ndarray
    failures: dict[str, int]
    # What each node was sent, together more than the requests where some are retried.
    attempts: list[int]
    # How late requests were sent, 99th percentile: the generator's own fault.
    lag_p99_ms: float
    # Of all cores.
    machine_busy: float

    def percentile(self, percent: float) -> float:
        """Of the times, in milliseconds."""
        return percentile(self.milliseconds, percent)

    def as_json(self) -> dict[str, Any]:
        """All but the single times."""
        figures = {f"p{percent:g}_ms": self.percentile(percent) for percent in (50, 99, 99.9)}
        return {key: value for key, value in vars(self).items() if key != "milliseconds"} | figures


def window(requests: Sequence[Request], begin: float, end: float, **known: Any) -> Window:
    """The figures of the requests that were due in a window."""
    counted = [each for each in requests if begin <= each.due < end]
    well = [each.seconds * 1000 for each in counted if each.failure is None]
    late = [(each.sent - each.due) * 1000 for each in counted]
    kinds = collections.Counter(" ".join(each.failure.split()) for each in counted if each.failure)
    return Window(
        requests=len(counted),
        milliseconds=np.array(well),
        failures=dict(kinds.most_common(10)),
        lag_p99_ms=percentile(np.array(late), 99),
        **known,
    )


def percentile(milliseconds: np.ndarray, percent: float) -> float:
    """One that was measured, as in the simulation; 0 where there is none."""
    if not len(milliseconds):
        return 0.0
    return float(np.percentile(milliseconds, percent, method="higher"))


@dataclasses.dataclass(frozen=True)
class Row(balancers.Row):
    """All windows of one algorithm in a scenario."""

    COLUMNS: ClassVar = (
        *balancers.Row.COLUMNS[:-1],
        "p99 of each window",
        "attempts a request",
        balancers.Row.COLUMNS[-1],
    )

    p99sMilliseconds: list[float]
    # Above 1 where some were retried.
    attempts: float

    def cells(self) -> list[str]:
        """The row as text."""
        *figures, shares = super().cells()
        p99s = ", ".join(f"{p99:,.0f}" for p99 in self.p99sMilliseconds)
        return [*figures, f"{p99s} ms", f"{self.attempts:.2f}", shares]


def rows(windows: Sequence[Window]) -> list[Row]:
    """A row for each scenario and algorithm, in the order of the first window of each."""
    groups: dict[tuple[str, str], list[Window]] = {}
    for each in windows:
        groups.setdefault((each.scenario, each.algorithm), []).append(each)
    return [row(group) for group in groups.values()]


def row(windows: Sequence[Window]) -> Row:
    """The requests of all windows together."""
    milliseconds = np.concatenate([each.milliseconds for each in windows])
    attempts = np.sum([each.attempts for each in windows], axis=0)
    requests = sum(each.requests for each in windows)
    return Row(
        scenario=windows[0].scenario,
        algorithm=windows[0].algorithm,
        p50Milliseconds=percentile(milliseconds, 50),
        p99Milliseconds=percentile(milliseconds, 99),
        p999Milliseconds=percentile(milliseconds, 99.9),
        errorShare=1 - len(milliseconds) / max(requests, 1),
        shares=[float(share) for share in attempts / max(attempts.sum(), 1)],
        p99sMilliseconds=[each.percentile(99) for each in windows],
        attempts=float(attempts.sum() / max(requests, 1)),
    )
