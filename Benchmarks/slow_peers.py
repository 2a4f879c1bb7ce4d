#!/usr/bin/env python3
"""Thousands of slow clients at once: what they cost a gateway, when they are ended, and what others
notice.

A process opens clients for each way to be slow: a head that comes a byte a second, a body that
comes a byte a second, and (`--readers`) an answer of 8 MiB that is asked for and not taken. They do
so until the gateway ends them. Another process keeps a steady load of predictions over REST, in
Poisson arrivals; times are from when a request was due to its answer. The gateway has its default
limits unless flags say otherwise.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import socket
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

import options
import outputs
from bystanders import SPAWNING, Attacker, Phase, phase, raise_file_limit
from end_to_end import launching
from harness.open_loop import OpenLoop
from harness.processes import Gateway
from machine import describe_machine
from origin import LARGE_PATH, Origin
from peers.paths import progress

KIB = 1 << 10
DRIP_SECONDS = 1.0
# So that what is not taken fits into no buffers on the way.
LARGE_BYTES = 8 << 20
RECEIVE_BUFFER_BYTES = 4096
AT_ONCE = 100
# A source address has some 28,000 ports; several leave room for those of earlier runs.
SOURCES = 4
HEADS, BODIES, READERS = KINDS = ("slow head", "slow body", "answer not taken")
QUICK_FLAGS = (
    *("--header-timeout-seconds", "3", "--body-grace-seconds", "3"),
    *("--body-timeout-seconds", "5"),
)
SLOW_HEAD = (
    *("slow clients", "how many", "ended", "told by 408"),
    *("first after s", "last after s"),
)
GOOD_HEAD = ("good requests", "how many", "failed", "p50 ms", "p99 ms", "longest ms")
MARKERS = ("<!-- slow peers: begin -->", "<!-- slow peers: end -->")


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a slow client was ended, and after how many seconds; None if it never was."""

    kind: str
    seconds: float | None
    status: int | None


@dataclasses.dataclass(frozen=True)
class Found:
    """What came of one run."""

    peers: int
    opened_seconds: float
    bytes_before: int
    bytes_most: int
    bytes_after: int
    before: Phase
    during: Phase
    after: Phase
    endings: list[Ending]


# MARK: The slow clients, in a process of their own


def be_slow(
    address: str, kinds: list[str], seconds: float, news: Connection, stopping: Event
) -> None:
    """Opens clients of all kinds, says when all are there, and later how each was ended."""
    raise_file_limit()
    asyncio.run(all_peers(address, kinds, seconds, news, stopping))


async def all_peers(
    address: str, kinds: list[str], seconds: float, news: Connection, stopping: Event
) -> None:
    """Opens them few at a time, and awaits their ends for so long at most."""
    tasks = []
    for number, kind in enumerate(kinds):
        stream = await connect(address, number)
        tasks.append(asyncio.create_task(peer(kind, stream, seconds)))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    news.send("open")
    gathered = asyncio.gather(*tasks)
    while not gathered.done() and not stopping.is_set():
        await asyncio.sleep(0.1)
    if stopping.is_set():
        gathered.cancel()
        return
    news.send(gathered.result())


async def connect(address: str, number: int) -> socket.socket:
    """A connection that takes as little as it may before it is read."""
    host, port = address.rsplit(":", 1)
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    stream.setblocking(False)
    stream.bind((f"127.0.0.{1 + number % SOURCES}", 0))
    await asyncio.get_running_loop().sock_connect(stream, (host, int(port)))
    return stream


async def peer(kind: str, stream: socket.socket, seconds: float) -> Ending:
    """One slow client, until it is ended, or until it has been slow for long enough."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            status = await (not_taking(stream) if kind == READERS else dripping(kind, stream))
            return Ending(kind, time.monotonic() - began, status)
    except TimeoutError:
        return Ending(kind, None, None)
    finally:
        stream.close()


async def dripping(kind: str, stream: socket.socket) -> int | None:
    """Sends a byte now and then; the status that it is ended by, if it is told one."""
    loop = asyncio.get_running_loop()
    head = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: martlet.test\r\n"
    rest = b"X-Bird: " if kind == HEADS else b"Content-Length: 100000\r\n\r\n"
    with contextlib.suppress(OSError):
        await loop.sock_sendall(stream, head + rest)
    reading = asyncio.create_task(read_all(stream))
    while not reading.done():
        with contextlib.suppress(OSError):
            await loop.sock_sendall(stream, b" ")
        await asyncio.wait({reading}, timeout=DRIP_SECONDS)
    return status_of(reading.result())


async def read_all(stream: socket.socket) -> bytes:
    """All that comes until the end."""
    received = b""
    with contextlib.suppress(OSError):
        while data := await asyncio.get_running_loop().sock_recv(stream, 1 << 16):
            received += data
    return received


async def not_taking(stream: socket.socket) -> int | None:
    """Asks for much and reads nothing until the connection is broken off.

    A close that waits behind what is not read would not be seen, so a byte is sent now and then:
    there is a reset for it once nobody holds the other end.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(
        stream,
        b"POST %s HTTP/1.1\r\nHost: martlet.test\r\nContent-Length: 2\r\n\r\n{}" % LARGE_PATH,
    )
    with contextlib.suppress(OSError):
        while is_open(stream):
            await asyncio.sleep(DRIP_SECONDS)
            stream.send(b" ")
    return None


# The states of TCP in which the other end has ended its part (the kernel's tcp_states.h).
CLOSED_STATES = frozenset({7, 8, 9, 11})


def is_open(stream: socket.socket) -> bool:
    """Whether the other end has said nothing of an end yet, by the state of the connection."""
    return stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in CLOSED_STATES


def status_of(answer: bytes) -> int | None:
    """The status of an answer; None without one."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else None


# MARK: Measuring


def kinds_of(arguments: argparse.Namespace) -> list[str]:
    """The kinds of all clients, in the order in which they come."""
    readers = min(arguments.readers, arguments.peers)
    others = [(HEADS, BODIES)[number % 2] for number in range(arguments.peers - readers)]
    return [*others, *[READERS] * readers]


def measure(gateway: Gateway, arguments: argparse.Namespace) -> Found:
    """One run on a gateway that has just started."""
    ours, theirs = SPAWNING.Pipe()
    work = (gateway.address, kinds_of(arguments), arguments.patience, theirs)
    with OpenLoop(gateway.address, rate=arguments.rate) as load:
        began = time.monotonic()
        time.sleep(arguments.seconds)
        held = most = gateway.resident_bytes()
        ready = time.monotonic()
        with Attacker(be_slow, *work) as attacker:
            attacked, opened, endings = time.monotonic(), None, None
            while endings is None:
                attacker.assert_running()
                if ours.poll(0.2):
                    news = ours.recv()
                    if news == "open":
                        opened = time.monotonic() - attacked
                        progress(f"{arguments.peers:,} slow clients after {opened:.1f} s")
                    else:
                        endings = news
                most = max(most, gateway.resident_bytes())
            ended = time.monotonic()
        time.sleep(2)
        healed, after = time.monotonic(), gateway.resident_bytes()
        time.sleep(arguments.seconds)
        last = time.monotonic()
    gateway.assert_running()
    return Found(
        peers=arguments.peers,
        opened_seconds=opened or 0.0,
        bytes_before=held,
        bytes_most=most,
        bytes_after=after,
        before=phase(load.requests, began, ready),
        during=phase(load.requests, attacked, ended),
        after=phase(load.requests, healed, last),
        endings=endings,
    )


def measure_one(arguments: argparse.Namespace) -> Found:
    """A gateway before a node that bears slow answers, and one run."""
    with Origin(LARGE_BYTES) as origin, launching("slow") as launcher:
        gateway = launcher.gateway([origin], "--no-access-log", *arguments.flag)
        gateway.await_all_healthy([origin])
        return measure(gateway, arguments)


# MARK: Report


def markdown(found: Found, arguments: argparse.Namespace) -> str:
    """The table of the clients, and that of the others."""
    grown = (found.bytes_most - found.bytes_before) / found.peers / KIB
    flags = " ".join(arguments.flag) or "default limits"
    lines = [
        f"- {describe_machine()}",
        f"- {found.peers:,} slow clients at once, opened in {found.opened_seconds:.1f} s; {flags}",
        f"- memory: {grown:.1f} KiB a slow client at most; "
        f"{found.bytes_before / KIB / KIB:.0f} MiB before, "
        f"{found.bytes_after / KIB / KIB:.0f} MiB after",
        "",
        *outputs.table(SLOW_HEAD, (slow_cells(kind, found.endings) for kind in KINDS)),
        "",
        *outputs.table(
            GOOD_HEAD,
            [
                good_cells("before", found.before),
                good_cells("during", found.during),
                good_cells("after", found.after),
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def slow_cells(kind: str, endings: list[Ending]) -> list[str]:
    """What became of the slow clients of a kind."""
    its = [each for each in endings if each.kind == kind]
    times = sorted(each.seconds for each in its if each.seconds is not None)
    told = sum(each.status == 408 for each in its)
    first, last = (f"{times[0]:.1f}", f"{times[-1]:.1f}") if times else ("-", "-")
    return [kind, f"{len(its):,}", f"{len(times):,}", f"{told:,}", first, last]


def good_cells(name: str, each: Phase) -> list[str]:
    """What the others noticed in a phase."""
    counts = (f"{each.requests:,}", f"{each.failures:,}")
    return [name, *counts, f"{each.p50_ms:.1f}", f"{each.p99_ms:.1f}", f"{each.max_ms:.0f}"]


def write(found: Found, arguments: argparse.Namespace) -> int:
    """The tables, and the files that were asked for; 1 if a client was not ended, or others not
    served."""
    text = markdown(found, arguments)
    print(text, end="")
    outputs.write(arguments, text, dataclasses.asdict(found), MARKERS)
    failed = found.before.failures + found.during.failures + found.after.failures
    endless = sum(each.seconds is None for each in found.endings)
    return 1 if failed or endless else 0


def main() -> int:
    """Measure, print; 1 if a slow client was not ended, or a good request failed."""
    parser = options.parser_of(__doc__)
    parser.add_argument("--peers", type=int, default=5000, help="slow clients (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=200.0, help="good ones a second (%(default)g)"
    )
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="before and after (%(default)g)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=150.0,
        help="seconds until they must be ended (%(default)g)",
    )
    parser.add_argument(
        "--flag", action="append", default=[], help="of the gateway, such as --flag=--threads=1"
    )
    parser.add_argument(
        "--quick", action="store_true", help="500 clients, short limits: it works, no more"
    )
    options.add_outputs(parser, figures="every ending")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.peers, arguments.readers = 500, 30
        arguments.seconds, arguments.patience = 3.0, 60.0
        arguments.flag += QUICK_FLAGS
    raise_file_limit()
    return options.run(lambda: write(measure_one(arguments), arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
