"""Every fault of a wire at every place of an exchange: what became of the requests meanwhile.

Of three nodes one is behind a wire that goes wrong in every third exchange. Whatever happens, each
request has exactly one end: an answer or an error, and neither twice. What answers say is looked
at, too; a wire that changes what it carries makes wrong answers that no gateway can tell.
"""

import argparse
import collections
import contextlib
import dataclasses
import time
from contextlib import ExitStack

import outputs
from end_to_end import launching
from failover_faults import faults
from failover_wires import FAULTS, PLACES, Wire, is_possible
from harness.open_loop import OpenLoop
from harness.policies import follow, pool
from harness.processes import Gateway
from harness.stand_ins import StandIn, halving, stand_in
from harness.waiting import await_until
from machine import describe_machine
from peers.paths import progress

NO_EJECTION = {"consecutive_failures": 0, "success_rate_deviations": 0}
TIMEOUTS = {"total_seconds": 4, "per_try_seconds": 1}
PATIENCE_SECONDS = 8.0
# How the load calls what has no end within that.
LATE = "no answer within"
# How it calls an answer that is not to what was asked.
WRONG = "the answer of another"


@dataclasses.dataclass
class Cell:
    """What became of all runs of one fault at one place."""

    fault: str
    place: str
    runs: int = 0
    requests: int = 0
    hits: int = 0
    failures: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    # What breaks the promise that each request has exactly one end.
    broken: list[str] = dataclasses.field(default_factory=list)


def ended(gateway: Gateway) -> int:
    """How many requests the gateway says have ended."""
    return int(gateway.admin.metrics().total("martlet_gateway_requests_total"))


def measure(fault: str, place: str, arguments: argparse.Namespace) -> Cell:
    """All runs of one fault at one place, with nodes and a gateway of their own.

    What goes wrong with the measuring itself breaks this cell, and not the others.
    """
    progress(f"{fault}, {place}")
    cell = Cell(fault, place)
    try:
        measure_into(cell, arguments)
        if not cell.hits:
            cell.broken.append("nothing was struck")
    except (AssertionError, OSError) as error:
        cell.broken.append(f"run {cell.runs}: {' '.join(str(error).split())}")
    return cell


def measure_into(cell: Cell, arguments: argparse.Namespace) -> None:
    """The runs of a cell."""
    with ExitStack() as scope:
        nodes: list[StandIn] = [
            scope.enter_context(stand_in(halving, faults.well_by_its_word())) for _ in range(3)
        ]
        wire = Wire(nodes[0].address)
        scope.callback(wire.close)
        launcher = scope.enter_context(launching("matrix"))
        addresses = [wire.address, *(node.address for node in nodes[1:])]
        policy = {
            "pools": [pool("main", *addresses, balancing="round_robin", outliers=NO_EJECTION)],
            "routes": [{"name": "main", "timeouts": TIMEOUTS}],
        }
        gateway = follow(launcher, policy, "--no-access-log")
        for number in range(arguments.matrix):
            run(cell, gateway, wire, number, arguments)
        gateway.assert_running()


def run(
    cell: Cell, gateway: Gateway, wire: Wire, number: int, arguments: argparse.Namespace
) -> None:
    """One load while the wire goes wrong."""
    before, hits = ended(gateway), wire.hits
    load = OpenLoop(
        gateway.address,
        rate=arguments.rate,
        patience=PATIENCE_SECONDS,
        seed=number + 1,
        first=int(arguments.rate / 2),
    )
    wire.struck.clear()
    with wire.strikes(cell.fault, cell.place), load:
        time.sleep(arguments.run_seconds)
    cell.runs += 1
    cell.requests += len(load.requests)
    cell.hits += wire.hits - hits
    cell.failures.update(each.failure for each in load.requests if each.failure)
    # An answer is there a moment before it is counted.
    with contextlib.suppress(AssertionError):
        await_until(lambda: ended(gateway) - before >= len(load.requests), "all to be counted", 5)
    cell.broken += broken(load, ended(gateway) - before, wire.struck, f"run {number}")


def broken(load: OpenLoop, counted: int, struck: set[int], where: str) -> list[str]:
    """In what the requests of a load have not had exactly one end each.

    A wire may make a wrong answer to what it strikes; to anything else none may come.
    """
    found = []
    endless = [each.number for each in load.requests if each.ended is None]
    unanswered = [each.number for each in load.requests if (each.failure or "").startswith(LATE)]
    if endless or unanswered:
        found.append(f"{where}: without an end: {(endless + unanswered)[:5]}")
    wrong = [
        each.number
        for each in load.requests
        if (each.failure or "").startswith(WRONG) and each.number not in struck
    ]
    if wrong:
        found.append(f"{where}: wrong answers to what was not struck: {wrong[:5]}")
    if load.unasked:
        found.append(f"{where}: {len(load.unasked)} answers to nothing")
    if counted != len(load.requests):
        found.append(f"{where}: {counted} ends counted of {len(load.requests)} requests")
    return found


def markdown(cells: list[Cell], arguments: argparse.Namespace) -> str:
    """The table of what failed, and what breaks the promise."""
    by_names = {(cell.fault, cell.place): cell for cell in cells}
    requests = sum(cell.requests for cell in cells)
    lines = [
        f"- {describe_machine()}",
        f"- {arguments.matrix} runs of {arguments.run_seconds:g} s at {arguments.rate:g} requests "
        f"a second; {requests:,} requests, {sum(cell.hits for cell in cells):,} of them struck",
        "",
        *outputs.table(
            ("requests that failed, of those struck", *PLACES),
            (
                [fault, *(text(by_names.get((fault, place))) for place in PLACES)]
                for fault in FAULTS
                if any((fault, place) in by_names for place in PLACES)
            ),
        ),
    ]
    kinds: collections.Counter[str] = collections.Counter()
    for cell in cells:
        kinds.update({" ".join(kind.split())[:80]: n for kind, n in cell.failures.items()})
    remarks = [f"- {count} x {kind}" for kind, count in kinds.most_common(10)]
    breaks = [
        f"- **broken**: {cell.fault}, {cell.place}: {each}"
        for cell in cells
        for each in cell.broken[:3]
    ]
    return "\n".join([*lines, "", *remarks, *breaks]) + "\n"


def text(cell: Cell | None) -> str:
    """What failed, and of how many that were struck; a dash where it was not tried."""
    if cell is None:
        return "-"
    mark = " **broken**" if cell.broken else ""
    return f"{cell.failures.total():,} of {cell.hits:,}{mark}"


def main(arguments: argparse.Namespace) -> int:
    """Measures all cells, and prints them; 1 if a request had not exactly one end."""
    cells = [
        measure(fault, place, arguments)
        for fault in FAULTS
        for place in PLACES
        if is_possible(fault, place)
    ]
    found = markdown(cells, arguments)
    print(found, end="")
    outputs.write(arguments, found, [vars(cell) for cell in cells])
    return 1 if any(cell.broken for cell in cells) else 0
