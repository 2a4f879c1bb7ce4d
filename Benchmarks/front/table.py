"""The report: on a terminal, in Markdown, and as JSON."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from machine import Machine, disturbances
from outputs import line_of
from peers.table import escaped, number

from front.generators import Round
from front.idle import Idle

MARKERS = ("<!-- proxies: begin -->", "<!-- proxies: end -->")
NGINX, HAPROXY = "nginx", "HAProxy"
# Of its core: below it, the load generator and the backend were the limit.
PROXY_BUSY = 0.9
NOISE = 0.03
MIB = 1 << 20
MEGABYTE = 1e6
COLUMNS = (
    *("min-max", "p50 ms", "p99 ms", "proxy µs", "of its core", "backend µs", "client µs"),
    *("MiB", f"of {NGINX}", f"of {HAPROXY}"),
    *("a full core", f"of {NGINX}", f"of {HAPROXY}"),
)
IDLE_COLUMNS = ("MiB before", "MiB with them", "bytes each", "asked again", "closed", "of nginx")
UNITS = (
    "proxy, backend, client: µs of processor time a request. MiB: resident memory of the proxy, "
    "of all its loads. A full core: what the processor time of a request comes to if the proxy has "
    "nothing to wait for. Medians of the rounds."
)


@dataclass
class Row:
    """One line of a section: a proxy, or the backend alone."""

    title: str
    rounds: list[Round] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return statistics.median(each.rate for each in self.rounds)

    @property
    def has_slack(self) -> bool:
        """Whether the proxy could have done more."""
        busy = self.median("proxy_busy")
        return busy is not None and busy < PROXY_BUSY

    def median(self, name: str) -> float | None:
        """The median of a figure over the rounds, if the figure applies."""
        values = [getattr(each, name) for each in self.rounds]
        return None if None in values else statistics.median(values)

    def cells(self, section: "Section") -> list[str]:
        """The row as text."""
        unit = section.payload_bytes / MEGABYTE if section.payload_bytes else 1.0
        rates = [each.rate * unit for each in self.rounds]
        busy, held = self.median("proxy_busy"), self.median("resident_bytes")
        return [
            self.title,
            number(statistics.median(rates)) + ("*" if self.has_slack else ""),
            f"{number(min(rates))}-{number(max(rates))}",
            *(number(self.median(name)) for name in ("p50_ms", "p99_ms", "proxy_cpu_us")),
            "" if busy is None else f"{busy:.0%}",
            *(number(self.median(name)) for name in ("backend_cpu_us", "client_cpu_us")),
            "" if held is None else number(held / MIB),
            *(self.share_of(section.row(name)) for name in (NGINX, HAPROXY)),
            "" if self.full_core is None else number(self.full_core * unit),
            *(self.full_core_share(section.row(name)) for name in (NGINX, HAPROXY)),
        ]

    @property
    def full_core(self) -> float | None:
        """Requests a second that would take a core's whole time."""
        each = self.median("proxy_cpu_us")
        return 1e6 / each if each else None

    def share_of(self, other: "Row | None") -> str:
        """The rate beside another's."""
        if other is None or other is self or self.full_core is None:
            return ""
        return f"{self.rate / other.rate:.2f}"

    def full_core_share(self, other: "Row | None") -> str:
        """The same of what a full core would do."""
        if other is None or other is self or self.full_core is None or other.full_core is None:
            return ""
        return f"{self.full_core / other.full_core:.2f}"


@dataclass
class Section:
    """The rows of one load."""

    title: str
    payload_bytes: int | None
    rows: list[Row] = field(default_factory=list)

    def row(self, title: str) -> Row | None:
        """The row of this title."""
        return next((row for row in self.rows if row.title == title), None)

    def markdown(self) -> Iterator[str]:
        """The table."""
        header = [self.title, "MB/s" if self.payload_bytes else "requests/s", *COLUMNS]
        yield line_of(header)
        yield line_of(["---", *["--:"] * (len(header) - 1)])
        for row in self.rows:
            yield line_of([escaped(cell) for cell in row.cells(self)])

    def as_json(self) -> dict[str, Any]:
        """Every round."""
        rows = [
            {"title": row.title, "rounds": [each.as_json() for each in row.rounds]}
            for row in self.rows
        ]
        return {"title": self.title, "payload_bytes": self.payload_bytes, "rows": rows}


@dataclass
class Report:
    """Everything that was found, and where."""

    machine: Machine
    versions: dict[str, str]
    seconds: int
    rounds: int
    sections: list[Section] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def remarks(self) -> Iterator[str]:
        """What a reader must know to believe the numbers, or not to."""
        yield from self.notes
        rows = [row for section in self.sections for row in section.rows]
        if any(row.has_slack for row in rows):
            yield (
                "* the proxy's core was not full: the load generator and the backend, which share "
                "the other one, were the limit."
            )
        yield from disturbances((each for row in rows for each in row.rounds), NOISE)

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return {
            "machine": self.machine.as_json(),
            "versions": self.versions,
            "seconds": self.seconds,
            "remarks": list(self.remarks()),
            "sections": [section.as_json() for section in self.sections],
            "idle": [each.as_json() for each in self.idle],
        }

    def as_markdown(self) -> str:
        """The text between the markers of BENCHMARKS.md."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"- {self.machine}", f"- {versions}"]
        if self.sections:
            lines.append(f"- rounds of {self.seconds} s a row: {self.rounds}, the rows in turn")
        for section in self.sections:
            lines += ["", *section.markdown()]
        if self.idle:
            lines += ["", *idle_markdown(self.idle)]
        remarks = [UNITS] if self.sections else []
        remarks += [escaped(text) for text in self.remarks()]
        lines += ["", *(f"{text}  " for text in remarks)]
        return "\n".join(lines).rstrip() + "\n"


def idle_markdown(rows: list[Idle]) -> Iterator[str]:
    """The table of idle connections."""
    base = next((row for row in rows if row.title == NGINX), None)
    header = [f"{rows[0].connections:,} idle connections", *IDLE_COLUMNS]
    yield line_of(header)
    yield line_of(["---", *["--:"] * (len(header) - 1)])
    for row in rows:
        held = (row.before, row.idle, row.asked_again, row.closed)
        before, idle, again, closed = (number(each / MIB) for each in held)
        share = ""
        if base is not None and base is not row and base.bytes_per_connection > 0:
            share = f"{row.bytes_per_connection / base.bytes_per_connection:.2f}"
        each = f"{row.bytes_per_connection:,.0f}"
        yield line_of([row.title, before, idle, each, again, closed, share])
