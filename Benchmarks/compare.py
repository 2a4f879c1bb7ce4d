#!/usr/bin/env python3
"""A Martlet node beside other model servers: same model, same clients, same cores, in one run.

Each peer is installed into an environment of its own (.tools/peers) and started with the settings
that its manual recommends for production. The limits are TensorFlow's C API and OpenVINO's in
loops in C. A peer that does not install or run here is named with its reason; the run goes on.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import machine
import options
import outputs
from peers import martlet, plot
from peers.known import PEERS
from peers.limits import Limits
from peers.paths import ROOT
from peers.session import Session
from peers.subjects import SUBJECTS
from peers.table import MARKERS, Report


def main() -> int:
    """Measure, print, write."""
    arguments = parse_arguments()
    return options.run(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> int:
    """All models, and the files that were asked for; the exit code."""
    report = run(arguments)
    print(report.as_markdown(), end="")
    write(report, arguments)
    return 0


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = options.parser_of(__doc__)
    parser.add_argument("--models", default="all", help=f"of {names(SUBJECTS)} (default: all)")
    parser.add_argument("--peers", default="all", help=f"of {names(PEERS)} (default: all)")
    options.add_rounds(parser, 2.5, 3, "one round of half a second")
    options.add_outputs(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rates as SVG")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.duration, arguments.rounds = 0.5, 1
    arguments.models = chosen(parser, arguments.models, SUBJECTS)
    arguments.peers = chosen(parser, arguments.peers, PEERS)
    if not 0 < arguments.duration <= 600 or not 1 <= arguments.rounds <= 100:
        parser.error("--duration must be above 0 and at most 600, --rounds 1 to 100")
    options.check_installed(parser, "h2load", "nghttp2-client")
    if martlet.martlet in arguments.peers:
        options.check_program(parser, martlet.binary(), "build")
    return arguments


def names(things: tuple) -> str:
    """The names, in a sentence."""
    return ", ".join(thing.name for thing in things)


def chosen(parser: argparse.ArgumentParser, text: str, things: tuple) -> list:
    """Those that were named, in their own order."""
    if text == "all":
        return list(things)
    wanted = set(text.split(","))
    if unknown := wanted - {thing.name for thing in things}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {names(things)}")
    return [thing for thing in things if thing.name in wanted]


def run(arguments: argparse.Namespace) -> Report:
    """Measure model after model."""
    report = Report(
        machine=machine.describe_machine(),
        versions=versions(arguments),
        settings={peer.title: peer.settings for peer in arguments.peers},
        seconds=arguments.duration,
        rounds=arguments.rounds,
    )
    limits = Limits()
    with tempfile.TemporaryDirectory(prefix="martlet-peers.") as name:
        for subject in arguments.models:
            with contextlib.ExitStack() as scope:
                session = Session(scope, subject, limits, arguments, Path(name))
                report.sections.append(session.run())
            report.notes += [note for note in session.notes if note not in report.notes]
    return report


def versions(arguments: argparse.Namespace) -> dict[str, str]:
    """What is measured, and with what."""
    found = {peer.title: peer.version() for peer in arguments.peers}
    if "Martlet" in found and (commit := machine.commit(ROOT)):
        found["Martlet"] += f" ({commit})"
    for engine in ("tensorflow", "openvino"):
        stated = ROOT / ".engines" / engine / "VERSION"
        if stated.is_file():
            title = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}[engine]
            found[title] = stated.read_text(encoding="utf-8").split()[0]
    found["h2load"] = machine.output_of("h2load", "--version").rpartition("/")[2]
    return found


def write(report: Report, arguments: argparse.Namespace) -> None:
    """The files that were asked for."""
    outputs.write(arguments, report.as_markdown(), report.as_json(), MARKERS, indent=2)
    if arguments.plot:
        arguments.plot.write_text(plot.draw(report), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
