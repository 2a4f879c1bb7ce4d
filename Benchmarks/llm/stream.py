"""One request whose answer is a stream of server-sent events, and when each of them came.

While the answer comes, its bytes are kept with their times and nothing else is done, so that the
client takes little from the cores that it shares with the server. They are read afterwards.
"""

import asyncio
import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from measurement import LoadError
from servers import split

ANSWER_SECONDS_MAX = 600.0
# Characters may span tokens, so that an event has the text of several; never of so many.
TOKENS_PER_EVENT_MAX = 2


@dataclass(frozen=True)
class Request:
    """What is asked, and how long question and answer must be."""

    path: str
    content: dict[str, Any]
    output_tokens: int
    # None where a chat template adds to it.
    prompt_tokens: int | None = None

    def body(self, model: str) -> bytes:
        """The request as JSON: the likeliest tokens, exactly so many."""
        members = {
            "model": model,
            **self.content,
            "max_tokens": self.output_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return json.dumps(members).encode()


@dataclass(frozen=True)
class Answer:
    """A whole answer. Times are those of `time.perf_counter`."""

    began: float
    # Of the events that have text.
    times: list[float]
    output_tokens: int
    prompt_tokens: int
    cached_tokens: int
    text: str

    @property
    def first_seconds(self) -> float:
        """The time to the first token."""
        return self.times[0] - self.began

    @property
    def gaps(self) -> Iterator[tuple[float, float]]:
        """When each further event came, and how long after the one before it."""
        for before, after in zip(self.times, self.times[1:], strict=False):
            yield after, after - before


class Exchange(asyncio.Protocol):
    """Sends a request as soon as it is connected; keeps what comes until the server closes."""

    def __init__(self, request: bytes, ended: asyncio.Future[None]) -> None:
        self.request = request
        self.ended = ended
        self.reads: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.reads.append((time.perf_counter(), data))

    def connection_lost(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


class Client:
    """Asks one server, each request over a connection of its own."""

    def __init__(self, name: str, address: str, model: str) -> None:
        self.name = name
        self.address = address
        self.model = model

    async def ask(self, request: Request) -> Answer:
        """The whole answer; raises unless it is as long as it must be."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        sent = self.encoded(request)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                transport, exchange = await loop.create_connection(
                    lambda: Exchange(sent, ended), *split(self.address)
                )
                try:
                    await ended
                finally:
                    transport.close()
            return read_answer(began, exchange.reads, request)
        except (OSError, TimeoutError, ValueError, KeyError, LoadError) as error:
            raise LoadError(f"{self.name}, {request.path}: {error!r}") from error

    async def hang_up(self, request: Request, seconds: float) -> None:
        """Ask, and go away after so long without waiting for the end."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        sent = self.encoded(request)
        transport, _ = await loop.create_connection(
            lambda: Exchange(sent, ended), *split(self.address)
        )
        await asyncio.sleep(seconds)
        transport.abort()
        await asyncio.wait([ended])

    def encoded(self, request: Request) -> bytes:
        """The request with its head."""
        body = request.body(self.model)
        head = (
            f"POST {request.path} HTTP/1.1\r\nhost: {self.address}\r\n"
            "content-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass
class Body:
    """The bytes of an answer without HTTP's chunks, and where they were among all that came."""

    content: bytes = b""
    # Of each chunk: where it begins in the content, and where among all bytes.
    begins: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)

    def source(self, position: int) -> int:
        """Where a byte of the content was among all that came."""
        chunk = bisect_right(self.begins, position) - 1
        return self.sources[chunk] + position - self.begins[chunk]


def read_body(raw: bytes) -> Body:
    """The body of an answer that is good; raises if it is not, or not all there."""
    head, found, _ = raw.partition(b"\r\n\r\n")
    if not found or head.split(b" ", 2)[1:2] != [b"200"]:
        raise LoadError(f"not a good answer: {raw[:500]!r}")
    position, body, pieces = len(head) + 4, Body(), []
    if b"transfer-encoding: chunked" not in head.lower():
        return Body(raw[position:], [0], [position])
    length = 0
    while True:
        line_end = raw.find(b"\r\n", position)
        if line_end < 0:
            raise LoadError(f"the answer was cut off behind {raw[-200:]!r}")
        size = int(raw[position:line_end].partition(b";")[0], 16)
        position = line_end + 2
        if size == 0:
            body.content = b"".join(pieces)
            return body
        body.begins.append(length)
        body.sources.append(position)
        pieces.append(raw[position : position + size])
        length += size
        position += size + 2


def read_answer(began: float, reads: list[tuple[float, bytes]], request: Request) -> Answer:
    """What a stream said; raises unless it is complete."""
    body = read_body(b"".join(data for _, data in reads))
    read_ends = list(accumulate(len(data) for _, data in reads))
    times: list[float] = []
    texts: list[str] = []
    usage: dict[str, Any] = {}
    finish, is_done, position = None, False, 0
    for block in body.content.split(b"\n\n"):
        position += len(block) + 2
        for line in block.splitlines():
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                is_done = True
                continue
            event = json.loads(data)
            usage = event.get("usage") or usage
            if "error" in event:
                raise LoadError(f"an error in the stream: {data.decode()[:500]}")
            for choice in event["choices"]:
                finish = choice.get("finish_reason") or finish
                text = choice.get("text") or choice.get("delta", {}).get("content")
                if text:
                    texts.append(text)
                    last = min(position, len(body.content)) - 1
                    times.append(reads[bisect_left(read_ends, body.source(last) + 1)][0])
    check(request, finish, is_done, usage, len(times))
    return Answer(
        began=began,
        times=times,
        output_tokens=usage["completion_tokens"],
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        text="".join(texts),
    )


def check(
    request: Request, finish: str | None, is_done: bool, usage: dict[str, Any], events: int
) -> None:
    """Raise unless an answer is as long as it must be, and came token by token."""
    expected = (request.output_tokens, request.prompt_tokens or usage.get("prompt_tokens"))
    got = (usage.get("completion_tokens"), usage.get("prompt_tokens"))
    if got != expected or finish != "length" or not is_done:
        raise LoadError(
            f"{got} tokens of answer and prompt, {expected} expected; finish reason {finish}, "
            f"{'ended' if is_done else 'not ended'} by [DONE]"
        )
    if events * TOKENS_PER_EVENT_MAX < request.output_tokens:
        raise LoadError(f"only {events} events for {request.output_tokens} tokens")
