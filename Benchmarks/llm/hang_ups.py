"""How soon does a node stop to generate what nobody waits for any more?"""

import json
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import servers
from machine import Machine
from measurement import LoadError
from outputs import line_of
from peers.paths import progress

from llm import texts
from llm.subjects import MODEL, LanguageServer, Martlet, Setup

CONTEXT_TOKENS = 2048
# A node that reads a prompt looks up between its steps only, and two cores read 2,000 tokens in
# some five seconds: with this, a hundred times each kind take less than two minutes.
PROMPT_TOKENS = 256
PROMPT_TOKENS_MAX = 2000
# Of each kind, how often it is said how far it is.
TELLINGS = 10
# Sequences of each request.
CHOICES = 4
HELD = 2 * CHOICES
SECONDS_MAX = 30.0
POLL_SECONDS = 0.001
RUNNING = "martlet_sequences_running"


@dataclass(frozen=True)
class Kind:
    """What the client was waiting for when it went."""

    title: str
    prompt_tokens: int
    streams: bool
    choices: int

    def body(self, number: int) -> bytes:
        """A request that goes on for as long as the context has room."""
        prompt = texts.prompt(0, self.prompt_tokens, f"hang up {self.title} {number}")
        members = {
            **{"model": MODEL, "prompt": prompt, "stream": self.streams, "n": self.choices},
            **{"temperature": 0, "ignore_eos": True},
            "max_tokens": CONTEXT_TOKENS - self.prompt_tokens - 1,
        }
        return json.dumps(members).encode()


def kinds(prompt_tokens: int) -> tuple[Kind, ...]:
    """All of them; the last hangs up while its prompt is being read, which has so many tokens."""
    return (
        Kind(f"{CHOICES} sequences of a stream", 128, True, CHOICES),
        Kind(f"{CHOICES} sequences of a whole answer", 128, False, CHOICES),
        Kind(f"a prompt of {prompt_tokens:,} tokens", prompt_tokens, True, 1),
    )


@dataclass(frozen=True)
class Row:
    """How long it took, in milliseconds, from the client's end to the metric's 0."""

    title: str
    milliseconds: list[float]

    @property
    def percentiles(self) -> tuple[float, float, float]:
        """The median, the 99th percentile and the most."""
        p50, p99 = np.percentile(self.milliseconds, [50, 99])
        return float(p50), float(p99), max(self.milliseconds)


def measure(setup: Setup, count: int, prompt_tokens: int) -> list[Row]:
    """So many hang-ups of each kind, one after the other."""
    with Martlet(setup, CONTEXT_TOKENS, HELD, "hang-ups") as server:
        return [Row(kind.title, times(server, kind, count)) for kind in kinds(prompt_tokens)]


def times(server: LanguageServer, kind: Kind, count: int) -> list[float]:
    """What so many hang-ups of a kind took, while it is told how far they are."""
    found = []
    for number in range(count):
        if number % -(-count // TELLINGS) == 0:
            progress(f"{kind.title}: {number} of {count} clients have hung up")
        found.append(hang_up(server, kind, number))
    return found


def hang_up(server: LanguageServer, kind: Kind, number: int) -> float:
    """Ask, go, and wait until nothing runs."""
    body = kind.body(number)
    head = (
        f"POST /v1/completions HTTP/1.1\r\nhost: {server.address}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(servers.split(server.address), timeout=SECONDS_MAX) as client:
        client.sendall(head.encode() + body)
        await_running(server, kind.choices)
        began = time.perf_counter()
    await_running(server, 0)
    return (time.perf_counter() - began) * 1e3


def await_running(server: LanguageServer, count: int) -> None:
    """Look until so many sequences run."""
    deadline = time.monotonic() + SECONDS_MAX
    while running(server) != count:
        if time.monotonic() > deadline:
            raise LoadError(f"{RUNNING} is not {count} after {SECONDS_MAX:.0f} s")
        time.sleep(POLL_SECONDS)


def running(server: LanguageServer) -> int:
    """How many sequences run, as the node says."""
    return sum(servers.totals(server.address, RUNNING, {}, "model").values())


def as_markdown(rows: list[Row], machine: Machine) -> str:
    """The lines of a report."""
    return "\n".join(
        [
            f"- {machine}",
            f"- from the client's end to `{RUNNING}` 0, asked for every "
            f"{POLL_SECONDS * 1e3:.0f} ms: {len(rows[0].milliseconds)} times each",
            "",
            line_of(["hang-ups", "p50 ms", "p99 ms", "most ms"]),
            line_of(["---", "--:", "--:", "--:"]),
            *(line_of([row.title, *(f"{ms:.1f}" for ms in row.percentiles)]) for row in rows),
            "",
        ]
    )


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Every single time."""
    return [asdict(row) for row in rows]
