#!/usr/bin/env python3
"""What neighbours notice while a client floods a gateway: their p99 before, during and after.

One process floods the gateway by one attack after the other, as fast as it can: a connection that
is ended is opened again. Another process keeps a steady load of predictions over REST, in Poisson
arrivals; times are from when a request was due to its answer. On the same cores an attacker costs
its neighbours processor time whatever it does; so the first row is a process that computes and
attacks nobody, and the last column compares with that.
"""

import argparse
import contextlib
import dataclasses
import select
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

import machine
import options
import outputs
from bystanders import SPAWNING, Attacker, Phase, phase, raise_file_limit
from end_to_end import launching
from harness import floods
from harness.open_loop import OpenLoop
from harness.processes import Gateway
from peers.paths import progress

MIB = 1 << 20
NOBODY = "nobody: a process that computes"
SLOW_HEADS = 500
SILENT = 200
HEAD = (
    *("attack", "connections", "ended as floods", "good requests", "failed"),
    *("before", "during", "after"),
    *("gateway, cores", "memory MiB", "p99 beside a busy process"),
)
MARKERS = ("<!-- floods: begin -->", "<!-- floods: end -->")


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack: what it was, what became of it, and what neighbours noticed."""

    attack: str
    # Connections that the attacker opened, and those counted as floods.
    connections: int
    floods: int
    before: Phase
    during: Phase
    after: Phase
    # Processor time of the gateway a second, and memory that it took, during the attack.
    cores: float
    grown_bytes: int
    kinds: dict[str, int]


# MARK: Attacks, each in a process of its own


def compute(address: str, opened: Synchronized, stopping: Event) -> None:
    """Uses as much of a core as it gets."""
    while not stopping.is_set():
        sum(range(10_000))


def flood(name: str) -> Callable[..., None]:
    """The attacker of a flood over HTTP/2, by its name."""
    return {kind.__name__: kind for kind in KINDS}[name]


def frames(name: str, address: str, opened: Synchronized, stopping: Event) -> None:
    """A flood of frames: connection after connection, each until it is ended."""
    while not stopping.is_set():
        with contextlib.suppress(OSError), floods.Frames(address) as client:
            opened.value += 1
            client.socket.settimeout(5)
            while not stopping.is_set():
                for piece in flood(name)(client):
                    client.socket.sendall(piece)
                    take_in(client.socket)
                    if stopping.is_set():
                        break


def take_in(connection: socket.socket) -> None:
    """Reads what is there, so that the server can go on; raises if that is the end."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if poll.poll(0) and not connection.recv(1 << 16):
        raise ConnectionError("closed by the server")


def connect(address: str) -> socket.socket:
    """A connection to the gateway."""
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


def connections(address: str, opened: Synchronized, stopping: Event) -> None:
    """Opens connections as fast as it can, holds some, and says nothing on them."""
    held: list[socket.socket] = []
    while not stopping.is_set():
        with contextlib.suppress(OSError):
            held.append(connect(address))
            opened.value += 1
        if len(held) >= SILENT:
            held.pop(0).close()


def slow_heads(address: str, opened: Synchronized, stopping: Event) -> None:
    """Holds connections by heads that never end, a field at a time."""
    held: list[socket.socket] = []
    while not stopping.wait(0.1):
        while len(held) < SLOW_HEADS and not stopping.is_set():
            held.append(connect(address))
            opened.value += 1
            held[-1].sendall(b"POST / HTTP/1.1\r\nHost: martlet.test\r\n")
        for each in list(held):
            try:
                each.sendall(b"X-Bird: swift\r\n")
                take_in(each)
            except OSError:
                held.remove(each)
                each.close()


KINDS = floods.FLOODS
ATTACKS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    NOBODY: (compute, ()),
    **{kind.__name__.replace("_", " "): (frames, (kind.__name__,)) for kind in KINDS},
    "slow heads": (slow_heads, ()),
    "connections": (connections, ()),
}


# MARK: Measuring


def counted(gateway: Gateway) -> dict[str, int]:
    """The connections that the gateway has ended for a flood, by their kind."""
    found = {}
    for line in gateway.admin.get("/metrics").text.splitlines():
        if line.startswith("martlet_http2_floods_total{"):
            kind, value = line.split('"')[1], line.rsplit(" ", 1)[1]
            found[kind] = int(float(value))
    return found


def measure(name: str, gateway: Gateway, arguments: argparse.Namespace) -> Row:
    """One attack on a gateway that lives on."""
    progress(name)
    work, its = ATTACKS[name]
    opened = SPAWNING.Value("l", 0)
    before = counted(gateway)
    with OpenLoop(gateway.address, rate=arguments.rate) as load:
        began = time.monotonic()
        time.sleep(arguments.seconds)
        ready = time.monotonic()
        with Attacker(work, *its, gateway.address, opened) as attacker:
            used, held = machine.process_seconds(gateway.pid), gateway.resident_bytes()
            attacked = time.monotonic()
            time.sleep(arguments.seconds)
            ended = time.monotonic()
            cores = (machine.process_seconds(gateway.pid) - used) / (ended - attacked)
            grown = gateway.resident_bytes() - held
            attacker.assert_running()
        healed = time.monotonic()
        time.sleep(arguments.seconds)
    gateway.assert_running()
    kinds = {kind: count - before.get(kind, 0) for kind, count in counted(gateway).items()}
    return Row(
        attack=name,
        connections=opened.value,
        floods=sum(kinds.values()),
        before=phase(load.requests, began, ready),
        during=phase(load.requests, attacked, ended),
        after=phase(load.requests, healed, healed + arguments.seconds),
        cores=cores,
        grown_bytes=grown,
        kinds={kind: count for kind, count in kinds.items() if count},
    )


def measure_all(arguments: argparse.Namespace) -> list[Row]:
    """All attacks, each on a node and a gateway of its own."""
    names = [NOBODY, *(arguments.only or [name for name in ATTACKS if name != NOBODY])]
    rows = []
    for name in names:
        with launching("floods") as launcher:
            gateway = launcher.gateway([launcher.serve()], "--no-access-log")
            rows.append(measure(name, gateway, arguments))
    return rows


# MARK: Report


def markdown(rows: list[Row], arguments: argparse.Namespace) -> str:
    """The table."""
    quiet = rows[0].during.p99_ms
    lines = [
        f"- {machine.describe_machine()}",
        f"- {arguments.rate:g} good requests a second; {arguments.seconds:g} s before, during and "
        "after each attack; p50 / p99 in ms",
        "",
        *outputs.table(HEAD, (cells(row, quiet) for row in rows)),
    ]
    return "\n".join(lines) + "\n"


def cells(row: Row, quiet: float) -> list[str]:
    """A line of the table; `quiet` is the p99 beside a process that only computes."""
    phases = (row.before, row.during, row.after)
    return [
        row.attack,
        f"{row.connections:,}",
        f"{row.floods:,}",
        f"{sum(each.requests for each in phases):,}",
        f"{sum(each.failures for each in phases):,}",
        *(str(each) for each in phases),
        f"{row.cores:.2f}",
        f"{row.grown_bytes / MIB:+.1f}",
        "" if row.attack == NOBODY or not quiet else f"{row.during.p99_ms / quiet:.2f} x",
    ]


def write(rows: list[Row], arguments: argparse.Namespace) -> int:
    """The table, and the files that were asked for; 1 if a good request failed."""
    text = markdown(rows, arguments)
    print(text, end="")
    outputs.write(arguments, text, [dataclasses.asdict(each) for each in rows], MARKERS)
    failed = sum(each.failures for row in rows for each in (row.before, row.during, row.after))
    return 1 if failed else 0


def main() -> int:
    """Measure, print; 1 if a good request failed."""
    parser = options.parser_of(__doc__)
    parser.add_argument(
        "--rate", type=float, default=200.0, help="good ones a second (%(default)g)"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of a phase (%(default)g)")
    parser.add_argument("--quick", action="store_true", help="phases of 2 s: it works, no more")
    parser.add_argument(
        "--only", action="append", choices=[name for name in ATTACKS if name != NOBODY]
    )
    options.add_outputs(parser, tables="the table", figures="every row")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = 2.0
    raise_file_limit()
    return options.run(lambda: write(measure_all(arguments), arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
