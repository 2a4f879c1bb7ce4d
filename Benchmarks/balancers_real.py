#!/usr/bin/env python3
"""The gateway's balancing algorithms beside each other, with real gateways and real nodes.

Each algorithm has a gateway and three nodes of its own, and all are measured at once, with the same
arrivals: what disturbs the machine disturbs all alike. Nodes are `martlet serve` with four engine
threads; one may run a model that takes ten times as long, and one a model that fails at once. The
models wait and do not compute, so that the cores of the machine do not limit them. Requests come
over REST at random (Poisson), as many as make the nodes that answer 60 % full. Times are from when
a request was due to its answer, of those answered well. Retries, health checks and ejection are
those of the gateway's defaults, but where a heading says that nothing is ejected.
"""

import argparse
import collections
import dataclasses
import itertools
import random
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import balancers
import options
import outputs
from balancing import sites
from balancing.sites import ALGORITHMS, Scenario, Site
from balancing.windows import Mark, Window, rows, window
from end_to_end import launching
from harness.open_loop import OpenLoop
from harness.processes import Gateway
from machine import CORES, commit, describe_machine
from peers.paths import ROOT, progress

IMAGE = ROOT / "docs/images/balancing-real.svg"
TITLE = "Latency and errors with real nodes, by balancing algorithm"
MARKERS = ("<!-- balancers: begin -->", "<!-- balancers: end -->")
# Longer than the slow node's queue is.
PATIENCE_SECONDS = 15.0
# The second asks half as often as the first, the third a third as often.
CLIENTS = 1000
# Two of each load, to see how much they differ.
WINDOWS = 2
# Beyond them the figures are the machine's more than the algorithms'.
LAG_MS_MAX, BUSY_MAX = 20.0, 0.8


# MARK: Measuring


def measure(arguments: argparse.Namespace) -> Iterator[Window]:
    """All scenarios, as often as was asked for."""
    with ExitStack() as scope:
        launcher = scope.enter_context(launching("balancers"))
        models = launcher.directory / "models"
        sites.make_models(models)
        progress("the nodes")
        all_sites = [Site(launcher, name, models) for name in arguments.only]
        for number in range(1, arguments.rounds + 1):
            for scenario in sites.scenarios():
                progress(f"round {number} of {arguments.rounds}: {scenario.name}")
                yield from windows(all_sites, scenario, number, arguments)


def windows(
    all_sites: Sequence[Site], scenario: Scenario, seed: int, arguments: argparse.Namespace
) -> Iterator[Window]:
    """The windows of a scenario, with gateways that knew nothing before the load began."""
    with ExitStack() as scope:
        gateways = [scope.enter_context(site.gateway(scenario)) for site in all_sites]
        loads = [scope.enter_context(load(gateway, scenario, seed)) for gateway in gateways]
        time.sleep(arguments.warm_up)
        marks = [Mark.now(gateways)]
        for _ in range(WINDOWS):
            time.sleep(arguments.seconds)
            marks.append(Mark.now(gateways))
        # All of them before the first one's end is awaited.
        for each in loads:
            each.stop()
    for first, last in itertools.pairwise(marks):
        for place, site in enumerate(all_sites):
            before, after = first.attempts[place], last.attempts[place]
            addresses = [node.address for node in site.three(scenario)]
            yield window(
                loads[place].requests,
                first.time,
                last.time,
                scenario=scenario.name,
                algorithm=site.algorithm,
                attempts=[after[address] - before[address] for address in addresses],
                machine_busy=(last.busy - first.busy) / (last.time - first.time) / CORES,
            )


def load(gateway: Gateway, scenario: Scenario, seed: int) -> OpenLoop:
    """The requests of a scenario; those of equal seeds come at the same times."""
    return OpenLoop(
        gateway.address,
        rate=scenario.rate,
        patience=PATIENCE_SECONDS,
        seed=seed,
        fields=clients(seed),
        first=1,
    )


def clients(seed: int) -> Callable[[int], bytes]:
    """Header lines by which requests are those of many clients (a Zipf distribution)."""
    chance = random.Random(seed)
    shares = list(itertools.accumulate(1 / rank for rank in range(1, CLIENTS + 1)))

    def fields(_: int) -> bytes:
        (client,) = chance.choices(range(CLIENTS), cum_weights=shares)
        return f"{sites.HASH_HEADER}: {client}\r\n".encode("ascii")

    return fields


# MARK: Report


def markdown(found: Sequence[Window], arguments: argparse.Namespace) -> str:
    """The tables, and what must be known to believe them."""
    rates = dict.fromkeys(f"{scenario.rate:g}" for scenario in sites.scenarios())
    times = [f"{seconds * 1000:g} ms ({kind})" for kind, seconds in sites.SECONDS.items()]
    busy = max(each.machine_busy for each in found)
    late = max(each.lag_p99_ms for each in found)
    lines = [
        f"- {describe_machine()}; Martlet {commit(ROOT)}",
        f"- nodes of {sites.WORKERS} engine threads with a queue of {sites.QUEUE}; requests of "
        f"{' or '.join(times)} on average",
        f"- {', '.join(rates)} requests a second through each gateway, by scenario: "
        f"{sites.LOAD:.0%} of what the nodes that answer can carry",
        f"- {arguments.rounds} x {WINDOWS} windows of {arguments.seconds:g} s, "
        f"{arguments.warm_up:g} s after the load began, of all algorithms at once",
        f"- the machine was {busy:.0%} busy at most, and requests were sent {late:.0f} ms late at "
        "most (p99)",
        "",
        balancers.markdown(rows(found)),
        *remarks(found),
    ]
    if late > LAG_MS_MAX or busy > BUSY_MAX:
        lines += ["", "Not quiet: the machine was too busy for these figures."]
    return "\n".join(lines) + "\n"


def remarks(found: Sequence[Window]) -> list[str]:
    """What failed."""
    kinds: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for each in found:
        for kind, count in each.failures.items():
            # What differs behind that, such as names in a graph, is the same to a reader.
            kinds[each.scenario, each.algorithm, textwrap.shorten(kind, 60)] += count
    lines = [
        f"- {scenario}, {algorithm}: {count:,} x `{kind}`"
        for (scenario, algorithm, kind), count in kinds.items()
    ]
    return ["", *lines] if lines else []


def write(found: Sequence[Window], arguments: argparse.Namespace) -> int:
    """The tables, and the files that were asked for."""
    text = markdown(found, arguments)
    print(text, end="")
    figures = {
        "rows": [dataclasses.asdict(each) for each in rows(found)],
        "windows": [each.as_json() for each in found],
    }
    outputs.write_json(arguments.json, figures)
    if arguments.update:
        outputs.update(arguments.update, text, *MARKERS)
    if arguments.image:
        arguments.image.write_text(balancers.svg(rows(found), TITLE), encoding="utf-8")
    return 0


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = options.parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="of all scenarios (%(default)s)")
    parser.add_argument("--seconds", type=float, default=16.0, help="of a window (%(default)g)")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=34.0,
        help="seconds before: until load reports are believed (12), and what had queued up until "
        "then is gone (%(default)g)",
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds: it works, no more")
    parser.add_argument(
        "--only", action="append", choices=ALGORITHMS, help="this algorithm; may be repeated"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every window")
    parser.add_argument(
        "--update", type=Path, metavar="DOCUMENT", help="write the tables between their markers"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help=f"draw, such as {IMAGE.name}")
    arguments = parser.parse_args()
    arguments.only = arguments.only or list(ALGORITHMS)
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.warm_up = 1, 1.0, 1.0
    return arguments


def main() -> int:
    """Measure, print, draw."""
    arguments = parse_arguments()
    return options.run(lambda: write(list(measure(arguments)), arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
