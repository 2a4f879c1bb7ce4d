#!/usr/bin/env python3
"""Martlet's benchmark: a node beside its engine, and a gateway beside a node and beside nginx.

Everything runs on this machine, the load generator (h2load) too. Rows are measured in turn, so that
what disturbs the machine disturbs them alike. A row counts only if every answer was good: a stock
client checks one before, and nodes must count exactly the requests that h2load sent.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import machine
import options
import outputs
import report
from engine import EngineLimit
from load import LOADS, LoadGenerator, Target
from machine import output_of
from measurement import LoadError, Measurement
from payload import MODEL, WrongAnswerError
from servers import Gateway, Nginx, Node, ServerError, find_nginx, nginx_version

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "Benchmarks/.build"
ENGINE_TITLE = "the engine alone"
NODE_TITLE = "node"


@dataclass
class Step:
    """A row, and how one round of it is measured."""

    row: report.Row
    measure: Callable[[], Measurement]
    title: str


def main() -> int:
    """Measure, print, write."""
    arguments = parse_arguments()
    failures = (LoadError, ServerError, WrongAnswerError)
    return options.run(lambda: measure(arguments), failures, clear=lambda: report.progress(""))


def measure(arguments: argparse.Namespace) -> int:
    """All rows, and the files that were asked for; the exit code."""
    found = run(arguments)
    found.print()
    write(found, arguments)
    return 0


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = options.parser_of(__doc__)
    options.add_martlet(parser)
    options.add_rounds(parser, 4.0, 3, "rounds of half a second")
    options.add_outputs(parser, tables="the table")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.duration = 0.5
    options.check_program(parser, arguments.martlet, "build")
    if not 0 < arguments.duration <= 600 or not 1 <= arguments.rounds <= 100:
        parser.error("--duration must be above 0 and at most 600, --rounds 1 to 100")
    options.check_installed(parser, "h2load", "nghttp2-client")
    options.check_document(parser, arguments)
    return arguments


def run(arguments: argparse.Namespace) -> report.Report:
    """Start all servers, measure the rows in turn, stop the servers."""
    martlet = arguments.martlet.resolve()
    models = Path(os.environ.get("MARTLET_FIXTURES", ROOT / ".models/fixtures")).resolve()
    tensorflow = Path(os.environ.get("MARTLET_TENSORFLOW_PATH", ROOT / ".engines/tensorflow"))
    os.environ["MARTLET_TENSORFLOW_PATH"] = str(tensorflow.resolve())
    model = models / MODEL
    if not (model / "1/saved_model.pb").is_file():
        raise ServerError(f"there is no model in {model}; scripts/setup.sh fixtures makes it")
    BUILD.mkdir(exist_ok=True)
    found = report.Report(
        machine=machine.describe_machine(),
        versions={},
        seconds=arguments.duration,
        rounds=arguments.rounds,
        sections=[],
        notes=[],
    )
    with contextlib.ExitStack() as scope:
        folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix="martlet-bench.")))
        report.progress("starting two nodes, two gateways and nginx")
        engine = EngineLimit(ROOT, BUILD, tensorflow.resolve(), model / "1")
        targets = start_servers(scope, martlet, model, folder, found.notes)
        client = LoadGenerator("h2load", folder)
        steps = list(plan(found, engine, targets, client, arguments.duration))
        for number in range(1, arguments.rounds + 1):
            for position, step in enumerate(steps, 1):
                report.progress(
                    f"round {number} of {arguments.rounds}, row {position} of {len(steps)}: "
                    f"{step.title}"
                )
                step.row.rounds.append(step.measure())
        report.progress("")
        found.versions |= versions(martlet, engine)
    return found


def start_servers(
    scope: contextlib.ExitStack, martlet: Path, model: Path, folder: Path, notes: list[str]
) -> list[Target]:
    """The servers, all at once: those that are not asked are idle."""
    first = scope.enter_context(Node("node-1", martlet, model, folder))
    second = scope.enter_context(Node("node-2", martlet, model, folder))
    single = scope.enter_context(Gateway("gateway-1", martlet, [first], folder))
    double = scope.enter_context(Gateway("gateway-2", martlet, [first, second], folder))

    def target(title: str, nodes: list[Node], gateway: Gateway | None = None) -> Target:
        address = gateway.address if gateway else nodes[0].address
        return Target(title, {"rest": address, "grpc": address}, nodes, gateway)

    targets = [
        target(NODE_TITLE, [first]),
        target("martlet gateway + node", [first], single),
    ]
    program = find_nginx(ROOT)
    if program is None:
        notes.append("No row for nginx: it is not here; scripts/setup.sh bench-peers fetches it.")
    else:
        nginx = scope.enter_context(Nginx("nginx", program, first, folder))
        addresses = {"rest": nginx.rest_address, "grpc": nginx.grpc_address}
        targets.append(Target("nginx + node", addresses, [first], nginx))
    targets.append(target("martlet gateway + 2 nodes", [first, second], double))
    return targets


def plan(
    found: report.Report,
    engine: EngineLimit,
    targets: list[Target],
    client: LoadGenerator,
    seconds: float,
) -> Iterator[Step]:
    """The rows of the table, in its order."""
    limit = report.Row(f"TensorFlow's C API, {machine.CORES} threads in a loop")
    found.sections.append(report.Section(ENGINE_TITLE, [limit]))
    yield Step(limit, lambda: engine.measure(seconds), ENGINE_TITLE)
    for load in LOADS:
        rows: list[report.Row] = []
        found.sections.append(report.Section(load.title, rows))
        for target in targets:
            base, base_title = (rows[0], NODE_TITLE) if rows else (limit, "engine")
            rows.append(report.Row(target.title, base, base_title))
            yield Step(
                rows[-1],
                lambda load=load, target=target: client.measure(load, target, seconds),
                f"{load.title}, {target.title}",
            )


def versions(martlet: Path, engine: EngineLimit) -> dict[str, str]:
    """What was measured, and with what."""
    found = {"Martlet": output_of(martlet, "--version")}
    checked_out = machine.commit(ROOT)
    if checked_out:
        found["Martlet"] += f" ({checked_out})"
    found["TensorFlow"] = engine.tensorflow_version
    found["h2load"] = output_of("h2load", "--version").rpartition("/")[2]
    program = find_nginx(ROOT)
    if program:
        found["nginx"] = nginx_version(program)
    return found


def write(found: report.Report, arguments: argparse.Namespace) -> None:
    """The files that were asked for."""
    outputs.write(arguments, found.as_markdown(), found.as_json(), report.MARKERS, indent=2)


if __name__ == "__main__":
    sys.exit(main())
