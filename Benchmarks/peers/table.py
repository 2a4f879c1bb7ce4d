"""The report: on a terminal, in Markdown, and as JSON."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from machine import Machine, disturbances
from outputs import line_of

from peers.outcome import Outcome

MARKERS = ("<!-- peers: begin -->", "<!-- peers: end -->")
CLIENT_BUSY = 0.95
NOISE = 0.05
HEADER = (
    *("requests/s", "min-max", "p50 ms", "p99 ms", "CPU µs"),
    *("of TensorFlow", "of its engine"),
)


@dataclass
class Row:
    """One line of a table: an engine alone, or a server asked over one protocol."""

    server: str
    protocol: str = ""
    rounds: list[Outcome] = field(default_factory=list)
    # The rows that it is compared with.
    reference: "Row | None" = None
    limit: "Row | None" = None

    @property
    def title(self) -> str:
        """What stands first in the line."""
        return f"{self.server}, {self.protocol}" if self.protocol else self.server

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return statistics.median(each.rate for each in self.rounds)

    def median(self, name: str) -> float | None:
        """The median of a figure over the rounds, if the figure applies."""
        values = [getattr(each, name) for each in self.rounds]
        return None if None in values else statistics.median(values)

    def cells(self) -> list[str]:
        """The row as text."""
        rates = [each.rate for each in self.rounds]
        mark = "*" if (self.median("client_busy") or 0) >= CLIENT_BUSY else ""
        return [
            self.title,
            number(self.rate) + mark,
            f"{number(min(rates))}-{number(max(rates))}",
            number(self.median("p50_ms")),
            number(self.median("p99_ms")),
            number(self.median("cpu_us")),
            self.share_of(self.reference),
            self.share_of(self.limit),
        ]

    def share_of(self, other: "Row | None") -> str:
        """The rate beside another's."""
        if other is None or not other.rounds or other is self:
            return ""
        share = self.rate / other.rate
        return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"

    def as_json(self) -> dict[str, Any]:
        """Every round."""
        return {"title": self.title, "rounds": [each.as_json() for each in self.rounds]}


def number(value: float | None) -> str:
    """Three digits that count, or nothing where there is no number."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


@dataclass
class Section:
    """The rows of one model."""

    name: str
    title: str
    connections: int
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def measured(self) -> list[Row]:
        """Rows that something was found for."""
        return [row for row in self.rows if row.rounds]


@dataclass
class Report:
    """Everything that was found, and where."""

    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str]
    seconds: float
    rounds: int
    notes: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def remarks(self) -> list[str]:
        """What a reader must know to believe the numbers, or not to."""
        rows = [row for section in self.sections for row in section.measured()]
        found = list(self.notes)
        if any((row.median("client_busy") or 0) >= CLIENT_BUSY for row in rows):
            found.append("* the load generator's only thread was busy: the server may do more.")
        found += disturbances((each for row in rows for each in row.rounds), NOISE)
        return found

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return {
            "machine": self.machine.as_json(),
            "versions": self.versions,
            "settings": self.settings,
            "seconds": self.seconds,
            "remarks": self.remarks(),
            "models": [
                {
                    "name": section.name,
                    "title": section.title,
                    "connections": section.connections,
                    "notes": section.notes,
                    "rows": [row.as_json() for row in section.rows],
                }
                for section in self.sections
            ],
        }

    def as_markdown(self) -> str:
        """The text between the markers of BENCHMARKS.md."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [
            f"- {self.machine}",
            f"- {versions}",
            f"- rounds of {self.seconds:g} s a row: {self.rounds}, the rows in turn",
        ]
        for section in self.sections:
            lines += ["", *markdown_of(section)]
        lines += ["", "Settings:", ""]
        lines += [f"- **{name}**: {text}." for name, text in self.settings.items()]
        if self.remarks():
            lines += ["", *(f"- {remark}" for remark in map(escaped, self.remarks()))]
        return "\n".join(lines) + "\n"


def markdown_of(section: Section) -> list[str]:
    """One model's table, and what is missing in it."""
    title = f"{section.title}, {section.connections} connections"
    lines = [line_of([title, *HEADER]), line_of(["---", *["--:"] * len(HEADER)])]
    lines += [line_of([escaped(cell) for cell in row.cells()]) for row in section.measured()]
    if section.notes:
        lines += ["", *(f"- {escaped(note)}" for note in section.notes)]
    return lines


def escaped(text: str) -> str:
    """Text whose asterisks and bars are themselves."""
    return " ".join(text.split()).replace("*", "\\*").replace("|", "\\|")
