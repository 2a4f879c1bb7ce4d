"""The gateway's balancing algorithms beside each other, in simulated clusters.

    python Benchmarks/balancers.py [--quick] [--table FILE] [--json FILE] [--image FILE]

Prints Markdown tables and draws docs/images/balancing.svg. The simulation runs in the unit tests
(`swift test`): three nodes of four workers, requests of 20 ms on average that come at random, 240 a
second, no retries and no health checks. `--table` takes what an earlier run wrote by `--json`.
`balancers_real.py` does the same with real nodes.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from math import log10
from pathlib import Path
from typing import Any, ClassVar

import simulation

IMAGE = simulation.REPOSITORY / "docs" / "images" / "balancing.svg"
TITLE = "Latency and errors, by balancing algorithm"


@dataclass(frozen=True)
class Row:
    """What one algorithm makes of a scenario; the names are those that the simulation writes."""

    COLUMNS: ClassVar = ("algorithm", "p50", "p99", "p99.9", "errors", "share of each node")

    scenario: str
    algorithm: str
    p50Milliseconds: float
    p99Milliseconds: float
    p999Milliseconds: float
    # Of all requests.
    errorShare: float
    # Of all requests, by node.
    shares: list[float]

    def cells(self) -> list[str]:
        """The row as text."""
        times = (self.p50Milliseconds, self.p99Milliseconds, self.p999Milliseconds)
        return [
            self.algorithm,
            *(f"{time:,.0f} ms" for time in times),
            percent(self.errorShare),
            " · ".join(f"{share:.1%}" for share in self.shares),
        ]


def simulated(seeds: int) -> list[dict[str, Any]]:
    """Run the simulation so many times, and read what it wrote."""
    return simulation.run(
        "BalancerComparisonTests",
        "MARTLET_BALANCING_TABLE",
        {"MARTLET_BALANCING_SEEDS": str(seeds)},
    )


# MARK: Report


def scenarios(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each scenario, in the order of the file."""
    return {
        name: [row for row in rows if row.scenario == name]
        for name in dict.fromkeys(row.scenario for row in rows)
    }


def percent(share: float) -> str:
    """A share, with as many digits as it takes to tell it from none."""
    return "0" if share == 0 else f"{share:.1%}" if share >= 0.001 else f"{share:.2%}"


def markdown(rows: Sequence[Row]) -> str:
    """A table for each scenario."""
    return simulation.markdown(scenarios(rows).items(), ("algorithm", "share of each node"))


def svg(rows: Sequence[Row], title: str = TITLE) -> str:
    """A strip for each algorithm in each scenario: p50, p99 and p99.9, and the errors."""
    width, left, right, strip, heading, top = 760, 210, 80, 19, 30, 48
    sections = scenarios(rows)
    height = top + sum(heading + strip * len(group) for group in sections.values()) + 34
    low, high = 10.0, 10_000.0

    def x(milliseconds: float) -> float:
        share = log10(min(max(milliseconds, low), high) / low) / log10(high / low)
        return left + share * (width - left - right)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
        f'<circle cx="{left + 5}" cy="34" r="4" fill="#8a94a6"/>'
        f'<text x="{left + 14}" y="38">p50</text>'
        f'<circle cx="{left + 61}" cy="34" r="4" fill="#d4572a"/>'
        f'<text x="{left + 70}" y="38">p99</text>'
        f'<circle cx="{left + 117}" cy="34" r="3.5" fill="#ffffff" stroke="#d4572a"/>'
        f'<text x="{left + 126}" y="38">p99.9</text>'
        f'<text x="{width - 10}" y="38" text-anchor="end">errors</text>',
    ]
    bottom = height - 28
    for milliseconds, label in ((10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s")):
        place = f"{x(milliseconds):.1f}"
        parts.append(
            f'<line x1="{place}" x2="{place}" y1="{top}" y2="{bottom}" stroke="#dfe3ea"/>'
            f'<text x="{place}" y="{height - 10}" text-anchor="middle">{label}</text>'
        )
    y = top
    for scenario, group in sections.items():
        y += heading
        parts.append(
            f'<text x="10" y="{y - 8}" font-weight="bold">'
            f"{escape(scenario[0].upper() + scenario[1:])}</text>"
        )
        for row in group:
            parts.append(strip_of(row, y + strip / 2, left, width, x))
            y += strip
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def strip_of(row: Row, y: float, left: int, width: int, x) -> str:
    """The strip of one algorithm."""
    p50, p99, p999 = (
        f"{x(time):.1f}"
        for time in (row.p50Milliseconds, row.p99Milliseconds, row.p999Milliseconds)
    )
    color = "#d4572a" if row.errorShare >= 0.001 else "#5b6472"
    return (
        f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{row.algorithm}</text>'
        f'<line x1="{p50}" x2="{p999}" y1="{y}" y2="{y}" stroke="#c3c9d4" stroke-width="2"/>'
        f'<circle cx="{p999}" cy="{y}" r="3.5" fill="#ffffff" stroke="#d4572a"/>'
        f'<circle cx="{p99}" cy="{y}" r="4" fill="#d4572a"/>'
        f'<circle cx="{p50}" cy="{y}" r="4" fill="#8a94a6"/>'
        f'<text x="{width - 10}" y="{y + 4}" text-anchor="end" fill="{color}">'
        f"{percent(row.errorShare)}</text>"
    )


def main() -> None:
    """Simulate, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, to see that it works")
    parser.add_argument("--table", type=Path, help="read the rows there and simulate nothing")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    parser.add_argument("--image", type=Path, default=IMAGE)
    options = parser.parse_args()
    seeds = 1 if options.quick else 5
    found = simulation.read(options.table) if options.table else simulated(seeds)
    rows = [Row(**row) for row in found]
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    options.image.write_text(svg(rows))


if __name__ == "__main__":
    main()
