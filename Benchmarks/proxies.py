#!/usr/bin/env python3
"""The gateway beside nginx and HAProxy: each on one core, the load and the backend on another.

All proxies run at once and are asked in turn, round by round, so that what disturbs the machine
disturbs them alike. A row counts only if every answer was good: a stock client checks one before,
and each that wrk or h2load got must be as long as that one, and no error. `--soak` asks the gateway
alone, millions of times, and draws its memory.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import machine
import options
import outputs
from front import bench, features, growth, idle, loads, processes, table
from front.loads import Load, Target
from front.processes import PinnedGateway, Proxy
from machine import output_of
from measurement import LoadError
from peers.paths import ROOT, progress
from servers import ServerError, find_nginx, nginx_version

ROWS = ("http", "tls", "grpc", "large", "features", "idle")
IMAGE = ROOT / "docs/images/gateway-rss.svg"


def main() -> int:
    """Measure, print, write."""
    arguments = parse_arguments()
    return options.run(lambda: measure(arguments), (LoadError, ServerError))


def measure(arguments: argparse.Namespace) -> int:
    """The rows or the soak; the exit code."""
    if arguments.soak:
        soak(arguments)
    else:
        compare(arguments)
    return 0


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = options.parser_of(__doc__)
    options.add_martlet(parser)
    parser.add_argument(
        "--rows", default=",".join(ROWS), help="which of %(default)s (default: all of them)"
    )
    options.add_rounds(parser, 4, 5, "one round of a second", kind=int)
    parser.add_argument(
        "--idle", type=int, default=10_000, metavar="N", help="idle connections (%(default)s)"
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="TITLE=FLAGS",
        help="one more gateway with these flags, a row of its own for HTTP/1.1 and for gRPC",
    )
    parser.add_argument(
        "--light-backend",
        action="store_true",
        help="the backend in C for small answers too: leaves more of its core to the load",
    )
    options.add_outputs(parser)
    parser.add_argument(
        "--soak", type=int, metavar="REQUESTS", help="ask the gateway alone, so many times"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help=f"of --soak (default: {IMAGE.relative_to(ROOT)})"
    )
    return checked(parser, parser.parse_args())


def checked(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments, if they make sense here."""
    if arguments.quick:
        arguments.duration = arguments.rounds = 1
    arguments.rows = [row.strip() for row in arguments.rows.split(",")]
    options.check_program(parser, arguments.martlet, "build")
    if not 1 <= arguments.duration <= 600 or not 1 <= arguments.rounds <= 100:
        parser.error("--duration must be 1 to 600, --rounds 1 to 100")
    if not set(arguments.rows) <= set(ROWS):
        parser.error(f"--rows must be of {', '.join(ROWS)}")
    if not 1 <= arguments.idle <= 100_000:
        parser.error("--idle must be 1 to 100000")
    if arguments.soak is not None and arguments.soak < 1:
        parser.error("--soak must be 1 or more")
    if any("=" not in text for text in arguments.also):
        parser.error("--also must be TITLE=FLAGS")
    for program, package in (("wrk", "wrk"), ("h2load", "nghttp2-client"), ("openssl", "openssl")):
        options.check_installed(parser, program, package)
    if len(processes.CORES) < 2:
        parser.error("the proxy and its load need a core each: there is only one")
    if find_nginx(ROOT) is None or processes.find_haproxy() is None:
        parser.error("nginx and haproxy must be here: install Debian's packages of these names")
    options.check_document(parser, arguments)
    return arguments


def compare(arguments: argparse.Namespace) -> None:
    """Measure the rows in turn, then the idle connections, and report."""
    found = table.Report(
        machine=machine.describe_machine(),
        versions=versions(arguments.martlet),
        seconds=arguments.duration,
        rounds=arguments.rounds,
    )
    if arguments.light_backend:
        found.notes.append("The backend in C gave the small answers too.")
    with bench.bench(arguments.martlet, light=arguments.light_backend) as here:
        generator = here.generator()
        steps = list(plan(here, arguments, found))
        for number in range(1, arguments.rounds + 1):
            for position, (load, target, row) in enumerate(steps, 1):
                progress(
                    f"round {number} of {arguments.rounds}, row {position} of {len(steps)}: "
                    f"{load.title}, {target.title}"
                )
                row.rounds.append(generator.measure(load, target, arguments.duration))
    if "idle" in arguments.rows:
        found.idle = list(idle_rows(arguments))
    text = found.as_markdown()
    print(text, end="")
    outputs.write(arguments, text, found.as_json(), table.MARKERS, indent=2)


def plan(
    here: bench.Bench, arguments: argparse.Namespace, found: table.Report
) -> Iterator[tuple[Load, Target, table.Row]]:
    """Starts the proxies; the rows of the tables, in their order."""
    nginx = here.scope.enter_context(here.nginx())
    haproxy = here.scope.enter_context(here.haproxy())
    chosen: list[tuple[Load, list[Target]]] = []
    for name in arguments.rows:
        if name == "http":
            chosen.append((loads.HTTP, bench.http_targets(here, nginx, haproxy, arguments.also)))
        elif name == "tls":
            chosen.append((loads.TLS, bench.tls_targets(here, nginx, haproxy, found.notes)))
        elif name == "grpc":
            targets = bench.other_targets(here, nginx, haproxy, "grpc", arguments.also)
            chosen += [(load, targets) for load in loads.GRPC]
        elif name == "features":
            chosen.append((features.LOAD, bench.feature_targets(here)))
        elif name == "large":
            targets = bench.other_targets(here, nginx, haproxy, "large", [])
            chosen += [(load, targets) for load in loads.LARGE_LOADS]
    for load, targets in chosen:
        section = table.Section(load.title, load.payload_bytes)
        found.sections.append(section)
        for target in targets:
            section.rows.append(table.Row(target.title))
            yield load, target, section.rows[-1]


def idle_rows(arguments: argparse.Namespace) -> Iterator[idle.Idle]:
    """Each proxy by itself, just started: what it took for other loads would hide the rest."""
    settle = 0.5 if arguments.quick else 3.0
    for title in (table.NGINX, table.HAPROXY, bench.MARTLET):
        progress(f"{arguments.idle:,} idle connections, {title}")
        with bench.bench(arguments.martlet) as here:
            server: Proxy | PinnedGateway
            if title == bench.MARTLET:
                server = here.gateway(here.small, bench.NO_ACCESS_LOG)
            else:
                server = here.nginx() if title == table.NGINX else here.haproxy()
            here.scope.enter_context(server)
            port = server.at.http if isinstance(server, Proxy) else server.port
            yield idle.measure(title, server, port, arguments.idle, settle)


def soak(arguments: argparse.Namespace) -> None:
    """Ask the gateway until it has answered so many requests, and draw its memory."""
    with bench.bench(arguments.martlet) as here:
        target = bench.gateway_target(here, bench.MARTLET, here.other, bench.NO_ACCESS_LOG)
        windows = growth.measure(here.generator(), target, arguments.soak, arguments.duration)
    text = growth.as_markdown(windows, machine.describe_machine())
    print(text, end="")
    growth.draw(windows, arguments.plot or IMAGE)
    outputs.write(arguments, text, growth.as_json(windows), indent=2)


def versions(martlet: Path) -> dict[str, str]:
    """What was measured, and with what."""
    haproxy = output_of(bench.require(processes.find_haproxy()), "-v").split()[2]
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "Martlet": output_of(martlet, "--version") + f" ({machine.commit(ROOT)})",
        "nginx": nginx_version(bench.require(find_nginx(ROOT))),
        "HAProxy": haproxy.partition("-")[0],
        "wrk": wrk.split()[1],
        "h2load": output_of("h2load", "--version").rpartition("/")[2],
    }


if __name__ == "__main__":
    sys.exit(main())
