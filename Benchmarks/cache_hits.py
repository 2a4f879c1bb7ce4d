"""How often the response cache has an answer, beside plain LRU and the optimum: simulated.

    python Benchmarks/cache_hits.py [--table FILE]

Prints a Markdown table of what a simulation in the unit tests finds (`swift test`, some minutes in
a debug build). With `--table` it reads the file that such a run wrote, named to it by
MARTLET_CACHE_TABLE, and runs nothing.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simulation


@dataclass(frozen=True)
class Row:
    """What was found of one load by a cache of one size."""

    load: str
    keys: int
    requests: int
    # The size of the cache, as a part of what all answers take.
    share: float
    lru: float
    # As the simulation writes it.
    tinyLFU: float
    # None where answers differ in size: nobody knows it then.
    optimum: float | None = None


def simulated() -> list[dict[str, Any]]:
    """Run the simulation, and read what it wrote."""
    return simulation.run("wholeComparisonOfHits_isWrittenDown", "MARTLET_CACHE_TABLE")


def markdown(rows: list[Row]) -> str:
    """The table."""
    lines = [
        "| load | requests | cache holds | LRU | Martlet | optimum | Martlet / optimum |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        optimum, part = "unknown", ""
        if row.optimum is not None:
            optimum = f"{row.optimum:.1%}"
            part = f"{row.tinyLFU / row.optimum:.0%}" if row.optimum else ""
        lines.append(
            f"| {row.load} | {row.requests:,} | {row.share:.0%} of {row.keys:,} | {row.lru:.1%} "
            f"| {row.tinyLFU:.1%} | {optimum} | {part} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Simulate or read, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="read this file instead of running anything")
    options = parser.parse_args()
    found = simulation.read(options.table) if options.table else simulated()
    print(markdown([Row(**row) for row in found]))


if __name__ == "__main__":
    main()
