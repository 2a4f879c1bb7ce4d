"""What balancing by prefixes makes of prompt caches, in simulated clusters.

    python Benchmarks/prefixes.py [TRACE] [--table FILE] [--json FILE]

Prints Markdown tables. TRACE is a file of requests in Mooncake's form, which may be compressed with
gzip: a line of JSON for each with `timestamp` (milliseconds), `input_length` and `output_length`
(tokens) and `hash_ids` (blocks of 512 tokens); without it conversations are made up. The simulation
runs in the unit tests (`swift test`): endpoints that compute 40,000 tokens of prompts a second
together, one prompt after the other each, and keep what they computed in caches by recency.
`--table` takes what an earlier run wrote by `--json`.
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import simulation


@dataclass(frozen=True)
class Row:
    """What one algorithm makes of a trace; the names are those that the simulation writes."""

    COLUMNS: ClassVar = (
        "algorithm",
        "hit rate",
        "of one cache's",
        "token imbalance",
        "computed imbalance",
        "TTFT p50",
        "TTFT p99",
        "TTFT mean",
    )

    trace: str
    requests: int
    endpoints: int
    gateways: int
    algorithm: str
    # Of blocks; the bound is one endpoint with the cache of all.
    hitRate: float
    boundHitRate: float
    # How many times the mean the endpoint got that got the most.
    imbalance: float
    computedImbalance: float
    p50Seconds: float
    p99Seconds: float
    meanSeconds: float
    # Of each endpoint; None for no bound.
    cacheTokens: int | None = None

    @property
    def title(self) -> str:
        """What the algorithms are compared in."""
        cache = f"{self.cacheTokens:,} tokens" if self.cacheTokens else "no bound"
        gateways = "" if self.gateways == 1 else f", {self.gateways} gateways"
        return (
            f"{self.trace}, {self.requests:,} requests, {self.endpoints} endpoints{gateways}, "
            f"cache of each: {cache}; one cache of all: {self.boundHitRate:.1%}"
        )

    def cells(self) -> list[str]:
        """The row as text."""
        return [
            self.algorithm,
            f"{self.hitRate:.1%}",
            f"{self.hitRate / self.boundHitRate:.1%}" if self.boundHitRate else "-",
            f"{self.imbalance:.3f}",
            f"{self.computedImbalance:.3f}",
            *(f"{time:.2f} s" for time in (self.p50Seconds, self.p99Seconds, self.meanSeconds)),
        ]


def simulated(trace: Path | None) -> list[dict[str, Any]]:
    """Run the simulation, and read what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {}
        if trace:
            plain = Path(folder) / trace.name.removesuffix(".gz")
            read = gzip.decompress if trace.suffix == ".gz" else bytes
            plain.write_bytes(read(trace.read_bytes()))
            settings["MARTLET_PREFIX_TRACE"] = str(plain)
        return simulation.run("PrefixComparisonTests", "MARTLET_PREFIX_TABLE", settings)


def markdown(rows: Sequence[Row]) -> str:
    """A table for each cluster."""
    return simulation.markdown(groupby(rows, lambda row: row.title), ("algorithm",))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", nargs="?", type=Path, help="requests in Mooncake's form")
    parser.add_argument("--table", type=Path, help="read the rows there and simulate nothing")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    options = parser.parse_args()
    found = simulation.read(options.table) if options.table else simulated(options.trace)
    rows = [Row(**row) for row in found]
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
