"""Ten thousand clients that keep their connections and ask nothing: what do they cost?"""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from measurement import LoadError

from front.loads import HTTP, SECONDS_MAX, read_answer
from front.processes import PinnedServer

AT_ONCE = 200
WARM_UP_CONNECTIONS = 64
WARM_UP_QUESTIONS = 50
# A source address has some 28,000 ports; several leave room for those of earlier rows.
SOURCES = 4


@dataclass(frozen=True)
class Idle:
    """Memory of one proxy in bytes; each connection was asked over before it was left alone."""

    title: str
    connections: int
    before: int
    idle: int
    # After each connection was asked over once more, and left alone again.
    asked_again: int
    closed: int

    @property
    def bytes_per_connection(self) -> float:
        """What one of them adds."""
        return (self.idle - self.before) / self.connections

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self) | {"bytes_per_connection": self.bytes_per_connection}


@contextlib.contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections, opened few at a time, each asked over once."""
    streams: list[socket.socket] = []
    try:
        while len(streams) < count:
            batch = []
            for number in range(len(streams), min(count, len(streams) + AT_ONCE)):
                source = f"127.0.0.{1 + number % SOURCES}"
                stream = socket.create_connection(("127.0.0.1", port), SECONDS_MAX, (source, 0))
                streams.append(stream)
                batch.append(stream)
            ask(batch, port)
        yield streams
    finally:
        for stream in streams:
            stream.close()


def ask(streams: list[socket.socket], port: int) -> None:
    """Ask once over each; raises unless each answer is good."""
    for begin in range(0, len(streams), AT_ONCE):
        batch = streams[begin : begin + AT_ONCE]
        for stream in batch:
            stream.sendall(HTTP.head(port))
        for stream in batch:
            read_answer(stream, HTTP.answer)


def measure(title: str, server: PinnedServer, port: int, connections: int, settle: float) -> Idle:
    """Open connections to a server that has just started, and look at its memory."""
    try:
        with connected(port, WARM_UP_CONNECTIONS) as streams:
            for _ in range(WARM_UP_QUESTIONS):
                ask(streams, port)
        before = settled(server, settle)
        with connected(port, connections) as streams:
            idle = settled(server, settle)
            ask(streams, port)
            asked_again = settled(server, settle)
        closed = settled(server, settle)
    except OSError as error:
        raise LoadError(f"idle connections, {title}: {error}") from error
    return Idle(title, connections, before, idle, asked_again, closed)


def settled(server: PinnedServer, seconds: float) -> int:
    """A server's memory after a pause."""
    time.sleep(seconds)
    return server.resident_bytes()
