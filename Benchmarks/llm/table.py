"""The report: on a terminal, in Markdown, and as JSON."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from machine import Machine, disturbances
from outputs import line_of
from peers.table import escaped, number

from llm.limit import Limit
from llm.rounds import Round

MARKERS = ("<!-- llm: begin -->", "<!-- llm: end -->")
NOISE = 0.03
COLUMNS = (
    *("tokens/s", "min-max", "TTFT p50 ms", "p99 ms", "token p50 ms", "p99 ms", "max ms"),
    *("cached", "server CPU ms", "client CPU ms", "MiB"),
)
LONG_COLUMNS = ("long TTFT p50 ms", "max ms")
RATIO_COLUMNS = ("tokens/s", "TTFT p99", "token p99")
LIMIT_COLUMNS = ("of raw decode", "of raw with prompts")
UNITS = (
    "TTFT: from the request to the first token. Token: from one token of a stream to the next. "
    "Cached: share of the prompts' tokens. CPU: ms of processor time for each token of an answer. "
    "Medians of the rounds. Behind `x`: this figure beside the best that any row of llama-server "
    "has for it, the median of the rounds' ratios."
)
LIMITS = (
    "Raw decode: llama-batched-bench, all sequences in step and nothing else. With prompts: the "
    "time for the part of the prompts that is no common prefix is counted too."
)
# Of a round, and whether more is better.
RATIOS = (("rate", True), ("first_p99_ms", False), ("gap_p99_ms", False))


@dataclass
class Row:
    """One server under one load."""

    title: str
    is_ours: bool
    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        """The median of a figure over the rounds, if the figure applies."""
        values = [getattr(each, name) for each in self.rounds]
        return None if None in values else statistics.median(values)

    def ratio(self, other: "Row", name: str) -> float:
        """The median of the ratios, each of two figures of the same round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(getattr(mine, name) / getattr(its, name) for mine, its in pairs)


@dataclass
class Group:
    """The rows of one load, and what the library alone did."""

    title: str
    rows: list[Row] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    def best(self, name: str, most: bool) -> Row:
        """The row of llama-server that is best by one figure."""
        theirs = [row for row in self.rows if not row.is_ours]
        choose = max if most else min
        return choose(theirs, key=lambda row: row.median(name) or 0.0)

    def limit(self, name: str) -> float:
        """The median of what the library did."""
        return statistics.median(getattr(each, name) for each in self.limits)

    def cells(self, row: Row, *, has_long: bool, has_limits: bool) -> list[str]:
        """A row as text."""
        rates = [each.rate for each in row.rounds]
        names = ("first_p50_ms", "first_p99_ms", "gap_p50_ms", "gap_p99_ms", "gap_max_ms")
        cells = [
            f"{self.title}: {row.title}",
            number(statistics.median(rates)),
            f"{number(min(rates))}-{number(max(rates))}",
            *(number(row.median(name)) for name in names),
            f"{row.median('cached') or 0.0:.0%}",
            *(number(row.median(name)) for name in ("server_cpu_ms", "client_cpu_ms")),
            f"{(row.median('resident_bytes') or 0) / (1 << 20):,.0f}",
        ]
        if has_long:
            long_names = ("long_first_p50_ms", "long_first_max_ms")
            cells += [number(row.median(name)) for name in long_names]
        cells += [
            f"{row.ratio(self.best(name, most), name):.2f}" if row.is_ours else ""
            for name, most in RATIOS
        ]
        if has_limits:
            rate = row.median("rate") or 0.0
            cells += [f"{rate / self.limit(name):.2f}" for name in ("decode_rate", "whole_rate")]
        return cells

    def limit_cells(self, count: int) -> Iterator[list[str]]:
        """The rows of the library alone."""
        for title, name in (("raw decode", "decode_rate"), ("raw with prompts", "whole_rate")):
            rates = [getattr(each, name) for each in self.limits]
            cells = [
                f"{self.title}: {title}",
                number(statistics.median(rates)),
                f"{number(min(rates))}-{number(max(rates))}",
            ]
            yield cells + [""] * (count - len(cells))


@dataclass
class Section:
    """One of the loads A, B and C."""

    title: str
    groups: list[Group] = field(default_factory=list)

    def markdown(self) -> Iterator[str]:
        """The table."""
        rounds = [each for group in self.groups for row in group.rows for each in row.rounds]
        has_long = any(each.long_first_p50_ms is not None for each in rounds)
        has_limits = any(group.limits for group in self.groups)
        header = [self.title, *COLUMNS]
        header += LONG_COLUMNS if has_long else ()
        header += [f"x {name}" for name in RATIO_COLUMNS]
        header += LIMIT_COLUMNS if has_limits else ()
        yield line_of(header)
        yield line_of(["---", *["--:"] * (len(header) - 1)])
        for group in self.groups:
            for row in group.rows:
                cells = group.cells(row, has_long=has_long, has_limits=has_limits)
                yield line_of([escaped(cell) for cell in cells])
            if group.limits:
                yield from map(line_of, group.limit_cells(len(header)))

    def as_json(self) -> dict[str, Any]:
        """Every round."""
        return {
            "title": self.title,
            "loads": [
                {
                    "title": group.title,
                    "limits": [each.as_json() for each in group.limits],
                    "rows": [
                        {"title": row.title, "rounds": [each.as_json() for each in row.rounds]}
                        for row in group.rows
                    ],
                }
                for group in self.groups
            ],
        }


@dataclass
class Report:
    """Everything that was found, and where."""

    machine: Machine
    versions: dict[str, str]
    settings: list[str]
    rounds: int
    sections: list[Section] = field(default_factory=list)

    def remarks(self) -> Iterator[str]:
        """What a reader must know to believe the numbers, or not to."""
        rounds = [
            each
            for section in self.sections
            for group in section.groups
            for row in group.rows
            for each in row.rounds
        ]
        yield from disturbances(rounds, NOISE)

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return {
            "machine": self.machine.as_json(),
            "versions": self.versions,
            "settings": self.settings,
            "remarks": list(self.remarks()),
            "sections": [section.as_json() for section in self.sections],
        }

    def as_markdown(self) -> str:
        """The text between the markers of BENCHMARKS.md."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"- {self.machine}", f"- {versions}"]
        lines += [f"- {setting}" for setting in self.settings]
        lines.append(f"- rounds of each row: {self.rounds}, the rows in turn")
        for section in self.sections:
            lines += ["", *section.markdown()]
        remarks = [UNITS]
        if any(group.limits for section in self.sections for group in section.groups):
            remarks.append(LIMITS)
        remarks += self.remarks()
        lines += ["", *(f"{escaped(text)}  " for text in remarks)]
        return "\n".join(lines).rstrip() + "\n"
