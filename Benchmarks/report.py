"""The table: on a terminal, in Markdown, and as JSON."""

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import outputs
from machine import Machine, disturbances
from measurement import Measurement

MARKERS = ("<!-- measured: begin -->", "<!-- measured: end -->")
CLIENT_BUSY = 0.95
NOISE = 0.03
HEADER = ["", "requests/s", "min-max", "p50 ms", "p99 ms", "node", "proxy", "client", "relative"]
UNITS = "node, proxy, client: µs of processor time a request. Medians of the rounds."


@dataclass
class Row:
    """One line of the table, and what it is compared with."""

    title: str
    base: "Row | None" = None
    base_title: str = ""
    rounds: list[Measurement] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        """The median of a figure over the rounds, if the figure applies."""
        values = [getattr(each, name) for each in self.rounds]
        return None if None in values else statistics.median(values)

    def rates(self) -> list[float]:
        """Requests per second of each round."""
        return [each.requests_per_second for each in self.rounds]

    def cells(self) -> list[str]:
        """The row as text."""
        busy = self.median("client_busy")
        mark = "*" if busy is not None and busy >= CLIENT_BUSY else ""
        rates = self.rates()
        return [
            self.title,
            f"{statistics.median(rates):,.0f}{mark}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            shown(self.median("p50_ms"), 3),
            shown(self.median("p99_ms"), 3),
            *(shown(self.median(f"{who}_cpu_us"), 1) for who in ("node", "proxy", "client")),
            self.relative(),
        ]

    def relative(self) -> str:
        """The rate beside that of the base, as a share."""
        if self.base is None:
            return ""
        share = statistics.median(self.rates()) / statistics.median(self.base.rates())
        return f"{share:.0%} of {self.base_title}"


def shown(value: float | None, digits: int) -> str:
    """A number, or nothing where there is none."""
    return "" if value is None else f"{value:,.{digits}f}"


@dataclass
class Section:
    """Rows under one title."""

    title: str
    rows: list[Row]


@dataclass
class Report:
    """Everything that was found, and where."""

    machine: Machine
    versions: dict[str, str]
    seconds: float
    rounds: int
    sections: list[Section]
    notes: list[str]

    def remarks(self) -> list[str]:
        """What a reader must know to believe the numbers, or not to."""
        rows = [row for section in self.sections for row in section.rows]
        measured = [each for row in rows for each in row.rounds]
        found = list(self.notes)
        if any((row.median("client_busy") or 0) >= CLIENT_BUSY for row in rows):
            found.append("* the load generator's only thread was busy: the server may do more.")
        found += disturbances(measured, NOISE)
        return found

    def about(self) -> list[str]:
        """Where, with what, and how long."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            str(self.machine),
            versions,
            f"rounds of {self.seconds:g} s a row: {self.rounds}, the rows in turn",
        ]

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return {
            "machine": self.machine.as_json(),
            "versions": self.versions,
            "seconds": self.seconds,
            "remarks": self.remarks(),
            "sections": [
                {
                    "title": section.title,
                    "rows": [
                        {"title": row.title, "rounds": [each.as_json() for each in row.rounds]}
                        for row in section.rows
                    ],
                }
                for section in self.sections
            ],
        }

    def as_markdown(self) -> str:
        """The text between the markers of BENCHMARKS.md."""
        lines = [*(f"- {line}" for line in self.about()), ""]
        for section in self.sections:
            header = [section.title, *HEADER[1:]]
            lines += [markdown(header), markdown(["---", *["--:"] * 7, "---"])]
            lines += [markdown(row.cells()) for row in section.rows]
            lines.append("")
        lines += [line.replace("*", "\\*") + "  " for line in [UNITS, *self.remarks()]]
        return "\n".join(lines).rstrip() + "\n"

    def print(self) -> None:
        """The table on the terminal."""
        texts = [[row.cells() for row in section.rows] for section in self.sections]
        all_rows = [HEADER, *(cells for section in texts for cells in section)]
        widths = [max(len(cells[column]) for cells in all_rows) for column in range(len(HEADER))]
        print()
        for line in self.about():
            print(styled(line, "2"))
        print("\n" + styled(line_of(HEADER, widths), "2"))
        for section, rows in zip(self.sections, texts, strict=True):
            print(styled(section.title, "1"))
            for cells in rows:
                print(line_of(cells, widths))
        print()
        for line in [UNITS, *self.remarks()]:
            print(styled(line, "2"))


def markdown(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return outputs.line_of(cell.replace("*", "\\*") for cell in cells)


def line_of(cells: Sequence[str], widths: Sequence[int]) -> str:
    """A row in columns, numbers to the right."""
    ends = (0, len(cells) - 1)
    set_out = [
        cell.ljust(width) if column in ends else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return ("  " + "  ".join(set_out)).rstrip()


def styled(text: str, code: str) -> str:
    """Bold or faint on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def progress(text: str) -> None:
    """Say what is going on: on a terminal in place of what was said before."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)
    elif text:
        print(text, flush=True)
