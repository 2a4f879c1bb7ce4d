"""The loads: who asks what, and when."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from llm import texts
from llm.stream import Answer, Client, Request

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
CLIENTS = (1, 2, 4, 8, 16, 32)


@dataclass
class Answers:
    """What one run of a load got."""

    streams: list[Answer] = field(default_factory=list)
    # Of the prompts that disturb the streams; they do not count among them.
    disturbers: list[Answer] = field(default_factory=list)
    # What came at other times is not counted, if this is said.
    window: tuple[float, float] | None = None


class Load(Protocol):
    """A load, which is run again in every round with texts of its own."""

    @property
    def title(self) -> str:
        """What stands in the table."""

    @property
    def clients(self) -> int:
        """Requests under way at any moment; slots that llama.cpp's server has for them."""

    @property
    def context_tokens(self) -> int:
        """Room that each sequence needs."""

    @property
    def held(self) -> int:
        """Sequences worth keeping in memory."""

    async def run(self, client: Client, seed: str, *, warm_up: bool = False) -> Answers:
        """Ask; a shorter run warms up."""


def completion(prefix: int, tokens: int, output: int, seed: str) -> Request:
    """A prompt of so many tokens, of which the first ones are everybody's."""
    content = {"prompt": texts.prompt(prefix, tokens, seed)}
    return Request(COMPLETIONS, content, output, tokens)


@dataclass(frozen=True)
class SharedPrefix:
    """Clients that each ask again as soon as they are answered."""

    clients: int
    # Of each client.
    requests: int
    prefix_tokens: int = 64
    prompt_tokens: int = 128
    output_tokens: int = 64
    context_tokens: int = 256
    held: int = max(CLIENTS)

    @property
    def title(self) -> str:
        return f"{self.clients} client{'' if self.clients == 1 else 's'}"

    async def run(self, client: Client, seed: str, *, warm_up: bool = False) -> Answers:
        found = Answers()

        async def one(number: int) -> None:
            for turn in range(1 if warm_up else self.requests):
                name = f"shared {self.clients} {seed} {number} {turn}"
                found.streams.append(
                    await client.ask(
                        completion(self.prefix_tokens, self.prompt_tokens, self.output_tokens, name)
                    )
                )

        await together(one, self.clients)
        return found


@dataclass(frozen=True)
class Conversations:
    """Conversations whose turns alternate: between two turns of one all others have theirs."""

    count: int = 64
    turns: int = 4
    clients: int = 8
    prefix_tokens: int = 512
    question_tokens: int = 32
    output_tokens: int = 32
    context_tokens: int = 1024
    # Whether each turn has an order of its own, and any client may go on with a conversation.
    shuffled: bool = False

    @property
    def title(self) -> str:
        return f"{self.count} conversations of {self.turns} turns"

    @property
    def held(self) -> int:
        """All of them."""
        return self.count

    async def run(self, client: Client, seed: str, *, warm_up: bool = False) -> Answers:
        found = Answers()
        system = {"role": "system", "content": texts.words("everybody", self.prefix_tokens)}
        talks = [[system] for _ in range(self.clients if warm_up else self.count)]

        async def ask(talk: int, turn: int) -> None:
            said = talks[talk]
            question = texts.words(f"talk {seed} {talk} {turn}", self.question_tokens)
            said.append({"role": "user", "content": question})
            answer = await client.ask(Request(CHAT, {"messages": said}, self.output_tokens))
            said.append({"role": "assistant", "content": answer.text})
            found.streams.append(answer)

        turns = range(1 if warm_up else self.turns)
        if self.shuffled:
            for turn in turns:
                order = random.Random(f"order {seed} {turn}").sample(range(len(talks)), len(talks))
                await self.in_order(order, turn, ask)
            return found

        async def one(number: int) -> None:
            for turn in turns:
                for talk in range(number, len(talks), self.clients):
                    await ask(talk, turn)

        await together(one, self.clients)
        return found

    async def in_order(
        self, order: Sequence[int], turn: int, ask: Callable[[int, int], Coroutine[Any, Any, None]]
    ) -> None:
        """One turn of all conversations: whichever client is free has the next."""
        left = iter(order)

        async def one(_: int) -> None:
            for talk in left:
                await ask(talk, turn)

        await together(one, self.clients)


@dataclass(frozen=True)
class LongPrompts:
    """A long prompt arrives every so often, whether the last one is done or not, beside streams."""

    count: int = 10
    every_seconds: float = 2.0
    streams: int = 8
    prefix_tokens: int = 64
    prompt_tokens: int = 128
    output_tokens: int = 256
    long_tokens: int = 2000
    long_output_tokens: int = 16
    context_tokens: int = 2304
    # Beside the streams, a few long prompts that have not ended when the next comes.
    clients: int = 12
    SETTLE_SECONDS: ClassVar[float] = 1.0

    @property
    def title(self) -> str:
        return f"{self.streams} streams, {self.long_tokens:,} tokens every {self.every_seconds:g} s"

    @property
    def held(self) -> int:
        """As many as are under way."""
        return self.clients

    async def run(self, client: Client, seed: str, *, warm_up: bool = False) -> Answers:
        found = Answers()
        count = 1 if warm_up else self.count
        began = time.perf_counter() + self.SETTLE_SECONDS
        found.window = (began, began + count * self.every_seconds)

        async def stream(number: int) -> None:
            turn = 0
            while time.perf_counter() < began + count * self.every_seconds:
                name = f"stream {seed} {number} {turn}"
                request = completion(
                    self.prefix_tokens, self.prompt_tokens, self.output_tokens, name
                )
                found.streams.append(await client.ask(request))
                turn += 1

        async def disturb(number: int) -> None:
            due = began + number * self.every_seconds
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            name = f"long {seed} {number}"
            request = completion(0, self.long_tokens, self.long_output_tokens, name)
            found.disturbers.append(await client.ask(request))

        async with asyncio.TaskGroup() as group:
            for number in range(self.streams):
                group.create_task(stream(number))
            for number in range(count):
                group.create_task(disturb(number))
        return found


async def together(one: Callable[[int], Coroutine[Any, Any, None]], count: int) -> None:
    """Run so many of them at once; the first that fails ends all."""
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


def of(letter: str, *, quick: bool, clients: Sequence[int] = CLIENTS) -> list[Load]:
    """The loads behind a letter."""
    if letter == "A":
        # Long enough for few clients, and not too long for many.
        return [SharedPrefix(each, 1 if quick else max(4, 16 // each)) for each in clients]
    if letter == "B":
        return [conversations(quick=quick)]
    return [LongPrompts(count=2) if quick else LongPrompts()]


def conversations(*, quick: bool, shuffled: bool = False) -> Conversations:
    """Load B."""
    if quick:
        return Conversations(count=8, turns=2, shuffled=shuffled)
    return Conversations(shuffled=shuffled)
