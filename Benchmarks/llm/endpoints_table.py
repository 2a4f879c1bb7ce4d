"""The report on two nodes behind a gateway: in Markdown and as JSON."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from machine import Machine, disturbances
from outputs import line_of
from peers.table import escaped, number

from llm.endpoints import ROUND_ROBIN, Round
from llm.table import NOISE

MARKERS = ("<!-- llm endpoints: begin -->", "<!-- llm endpoints: end -->")
COLUMNS = (
    *("cached", "min-max", "by metrics", "own cached", "min-max"),
    *("tokens/s", "TTFT p50 ms", "p99 ms", "imbalance", "computed"),
)
RATIOS = (
    ("cached", "cached"),
    ("own cached", "cached_own"),
    ("tokens/s", "rate"),
    ("TTFT p50", "first_p50_ms"),
    ("p99", "first_p99_ms"),
)
UNITS = (
    "Cached: share of the prompts' tokens, as answers say and as the nodes' metrics count. Own: "
    "the same without the {common} tokens that all conversations have in common. TTFT: from the "
    "request to the first token. Imbalance: how many times the mean the node got that got the "
    "most, of the tokens of prompts and answers; computed: of the prompts' tokens that were not "
    "cached. Medians of the rounds. Behind `x`: this figure beside that of round robin, the "
    "median of the rounds' ratios."
)
MOST = (
    "All but the questions is {cached:.1%} of the prompts' tokens, and {own:.1%} of what is not in "
    "common: no balancing could find more."
)


@dataclass
class Row:
    """One algorithm."""

    algorithm: str
    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(getattr(each, name) for each in self.rounds)

    def range(self, name: str) -> str:
        """The least and the most of a share."""
        values = [getattr(each, name) for each in self.rounds]
        return f"{min(values):.1%}-{max(values):.1%}"

    def ratio(self, base: "Row", name: str) -> float | None:
        """The median of the ratios, each of two figures of the same round; None without a base."""
        pairs = list(zip(self.rounds, base.rounds, strict=True))
        if not all(getattr(its, name) for _, its in pairs):
            return None
        return statistics.median(getattr(mine, name) / getattr(its, name) for mine, its in pairs)

    def cells(self, base: "Row | None") -> list[str]:
        """The row as text."""
        cells = [
            self.algorithm,
            *(f"{self.median('cached'):.1%}", self.range("cached")),
            f"{self.median('cached_by_metrics'):.1%}",
            *(f"{self.median('cached_own'):.1%}", self.range("cached_own")),
            *(number(self.median(name)) for name in ("rate", "first_p50_ms", "first_p99_ms")),
            *(f"{self.median(name):.2f}" for name in ("imbalance", "computed_imbalance")),
        ]
        for _, name in RATIOS:
            ratio = self.ratio(base, name) if base and base is not self else None
            cells.append("" if ratio is None else f"{ratio:.2f}")
        return cells


@dataclass
class Report:
    """Everything that was found, and where."""

    machine: Machine
    settings: list[str]
    common_tokens: int
    rows: list[Row]

    @property
    def rounds(self) -> list[Round]:
        """All of all rows."""
        return [each for row in self.rows for each in row.rounds]

    @property
    def base(self) -> Row | None:
        """The row of round robin, if it was measured."""
        return next((row for row in self.rows if row.algorithm == ROUND_ROBIN), None)

    def remarks(self) -> Iterator[str]:
        """What a reader must know to believe the numbers, or not to."""
        yield UNITS.format(common=self.common_tokens)
        cached = statistics.median(each.cached_most for each in self.rounds)
        own = statistics.median(each.cached_own_most for each in self.rounds)
        yield MOST.format(cached=cached, own=own)
        retries = sum(each.retries for each in self.rounds)
        if retries:
            yield f"The gateway sent {retries} requests a second time."
        yield from disturbances(self.rounds, NOISE)

    def as_markdown(self) -> str:
        """The text between the markers of BENCHMARKS.md."""
        header = ["B, through the gateway", *COLUMNS, *(f"x {title}" for title, _ in RATIOS)]
        return "\n".join(
            [
                f"- {self.machine}",
                *(f"- {setting}" for setting in self.settings),
                f"- rounds of each row: {len(self.rows[0].rounds)}, the rows in turn, with fresh "
                "nodes and a fresh gateway each time",
                "",
                line_of(header),
                line_of(["---", *["--:"] * (len(header) - 1)]),
                *(line_of(row.cells(self.base)) for row in self.rows),
                "",
                *(f"{escaped(text)}  " for text in self.remarks()),
                "",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return {
            "machine": self.machine.as_json(),
            "settings": self.settings,
            "remarks": list(self.remarks()),
            "rows": [
                {"algorithm": row.algorithm, "rounds": [each.as_json() for each in row.rounds]}
                for row in self.rows
            ],
        }
