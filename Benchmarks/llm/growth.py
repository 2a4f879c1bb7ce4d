"""Does a node's memory grow, or is a stream lost, over minutes of every load and of hang-ups?"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from machine import Machine
from peers.paths import progress

from llm.loads import Answers, Conversations, Load, LongPrompts, SharedPrefix, completion, together
from llm.rounds import completed
from llm.stream import Client
from llm.subjects import LanguageServer, Martlet, Setup

MIB = 1 << 20
# Of the last windows beyond the first after the warm-up: allocators keep some of what they freed.
GROWTH_BYTES_MAX = 16 * MIB
CONTEXT_TOKENS = 1024
HELD = 32
HANG_UPS = 16


@dataclass(frozen=True)
class HangUps:
    """Clients that go away while they are answered, and one that waits for its end."""

    clients: int = HANG_UPS
    context_tokens: int = 256
    held: int = HANG_UPS
    title: str = f"{HANG_UPS} clients that hang up"

    async def run(self, client: Client, seed: str, *, warm_up: bool = False) -> Answers:
        async def one(number: int) -> None:
            request = completion(64, 128, 512, f"hang up {seed} {number}")
            await client.hang_up(request, 0.05 * (number + 1))

        await together(one, self.clients)
        last = await client.ask(completion(64, 128, 64, f"stay {seed}"))
        return Answers([last])


TURNS: Sequence[Load] = (
    SharedPrefix(32, 2),
    Conversations(16, 2),
    HangUps(),
    SharedPrefix(8, 4),
    LongPrompts(count=4, every_seconds=1.0, long_tokens=900, context_tokens=CONTEXT_TOKENS),
)


@dataclass(frozen=True)
class Window:
    """What one load, run once, left behind."""

    load: str
    until_seconds: float
    # Since the beginning, this window's included.
    streams: int
    output_tokens: int
    resident_bytes: int


def measure(setup: Setup, seconds: float) -> list[Window]:
    """Run the loads in turn until so much time has passed; raises if one stream is not whole."""
    with Martlet(setup, CONTEXT_TOKENS, HELD, "soak") as server:
        progress("warming up: every sequence's memory is used once")
        completed(fill(server.client()))
        for load in TURNS:
            completed(load.run(server.client(), "warm-up"))
        return list(windows(server, seconds))


async def fill(client: Client) -> None:
    """As many long prompts at once as there are sequences."""

    async def one(number: int) -> None:
        await client.ask(completion(0, CONTEXT_TOKENS - 64, 32, f"fill {number}"))

    await together(one, HELD)


def windows(server: LanguageServer, seconds: float) -> list[Window]:
    """One for each run of a load."""
    began = time.monotonic()
    found: list[Window] = []
    streams = tokens = 0
    while len(found) < 2 * len(TURNS) or time.monotonic() - began < seconds:
        load = TURNS[len(found) % len(TURNS)]
        answers = completed(load.run(server.client(), f"soak {len(found)}"))
        every = [*answers.streams, *answers.disturbers]
        streams += len(every)
        tokens += sum(each.output_tokens for each in every)
        now = time.monotonic() - began
        found.append(Window(load.title, now, streams, tokens, server.resident_bytes()))
        progress(
            f"{now:.0f} of {seconds:.0f} s, {streams:,} streams: "
            f"{found[-1].resident_bytes / MIB:.1f} MiB"
        )
    return found


def growth_bytes(found: list[Window]) -> float:
    """By how much the last turn of all loads is above the first."""
    held = [each.resident_bytes for each in found]
    return statistics.median(held[-len(TURNS) :]) - statistics.median(held[: len(TURNS)])


def slope(found: list[Window]) -> float:
    """Bytes that a thousand streams add, by least squares over the second half."""
    later = found[len(found) // 2 :]
    thousands = np.array([each.streams for each in later]) / 1e3
    return float(np.polyfit(thousands, [each.resident_bytes for each in later], 1)[0])


def as_markdown(found: list[Window], machine: Machine) -> str:
    """The lines of a report."""
    held = [each.resident_bytes / MIB for each in found]
    last = found[-1]
    return "\n".join(
        [
            f"- {machine}",
            f"- {last.until_seconds:.0f} s: {last.streams:,} streams of {last.output_tokens:,} "
            "tokens in all, every one whole; "
            f"{HANG_UPS * sum(each.load == HangUps.title for each in found)} more were left by "
            "their clients",
            f"- memory after the warm-up {held[0]:.1f} MiB, at the end {held[-1]:.1f} MiB, most "
            f"{max(held):.1f} MiB; the last turn of all loads {growth_bytes(found) / MIB:+.1f} MiB "
            "beside the first",
            f"- over the second half {slope(found) / 1024:+.1f} KiB a thousand streams",
            "",
        ]
    )


def as_json(found: list[Window]) -> list[dict[str, Any]]:
    """Every window."""
    return [asdict(each) for each in found]
