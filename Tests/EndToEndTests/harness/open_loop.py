"""Predictions that come at their times, whether answers have come or not, and their ends."""

import asyncio
import collections
import dataclasses
import itertools
import json
import random
import threading
import time

from harness.waiting import await_until

# How long a client waits for an answer before it calls the request failed.
PATIENCE_SECONDS = 30.0

PATH = "/v1/models/half_plus_two:predict"


@dataclasses.dataclass
class Request:
    """A prediction for a number of its own. Times are those of the monotonic clock."""

    number: int
    due: float
    # Later than due by the generator's own fault.
    sent: float
    ended: float | None = None
    failure: str | None = None

    @property
    def seconds(self):
        """From when it was due until it was answered or had failed."""
        return self.ended - self.due


class OpenLoop:
    """So many requests a second for `half_plus_two` over REST until the block ends.

    They come as those of many independent clients do (Poisson), on as many connections as it takes.
    Each asks for its own number, so an answer that is another's, or a second one, is found out.
    `fields` makes header lines of a request's number; the block begins once `first` are sent.
    """

    def __init__(
        self,
        address,
        rate=500.0,
        patience=PATIENCE_SECONDS,
        seed=1,
        fields=lambda number: b"",
        first=250,
    ):
        self.address = address
        self.patience = patience
        self.fields = fields
        self.requests = []
        # Answers on connections on which nothing was asked.
        self.unasked = []
        self._gaps = random.Random(seed)
        self._rate = rate
        self._first = first
        self._idle = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self.await_more(self._first)
        return self

    def stop(self):
        """Sends no more; the end of the block awaits what is under way."""
        self._stopping.set()

    def __exit__(self, *_):
        self.stop()
        self._thread.join(self.patience + 30)
        assert not self._thread.is_alive(), "a request of the load never ended"

    @property
    def failures(self):
        """Each request that was not answered, or not well; complete once the block has ended."""
        return [f"{each.number}: {each.failure}" for each in list(self.requests) if each.failure]

    def await_more(self, count=250):
        """Awaits that so many more requests are sent."""
        target = len(self.requests) + count
        self._await(lambda: len(self.requests) >= target, f"{count} more requests")

    def await_ends(self):
        """Awaits the end of every request that has been sent."""
        sent = list(self.requests)
        self._await(
            lambda: all(each.ended is not None for each in sent), f"{len(sent)} requests to end"
        )

    def assert_perfect(self):
        """Every request was answered, once, by the answer that is its."""
        kinds = collections.Counter(each.failure for each in self.requests if each.failure)
        assert not kinds, f"of {len(self.requests)} requests failed {kinds.total()}: {kinds}"
        assert self.unasked == []

    def _await(self, condition, what):
        def reached():
            assert self._thread.is_alive(), "the load has ended by itself"
            return condition()

        await_until(reached, what, self.patience + 20)

    def _run(self):
        asyncio.run(self._send_all())

    async def _send_all(self):
        sending = set()
        due = time.monotonic()
        for number in itertools.count(1):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._stopping.is_set():
                break
            request = Request(number, due, time.monotonic())
            self.requests.append(request)
            task = asyncio.create_task(self._send(request))
            sending.add(task)
            task.add_done_callback(sending.discard)
            due += self._gaps.expovariate(self._rate)
        await asyncio.gather(*sending)
        for connection in self._idle:
            connection.close()

    async def _send(self, request):
        try:
            async with asyncio.timeout(self.patience):
                await self._ask(request)
        except TimeoutError:
            request.failure = f"no answer within {self.patience:g} s"
        except OSError as error:
            request.failure = f"no connection: {type(error).__name__}"
        request.ended = time.monotonic()

    async def _ask(self, request):
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            answer = await connection.ask(request.number)
        except BaseException:
            connection.close()
            raise
        request.failure = failure_of(answer, request.number)
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self):
        host, port = self.address.rsplit(":", 1)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), host, int(port))
        return connection


class Connection(asyncio.Protocol):
    """A connection of the load; one request at a time."""

    def __init__(self, load):
        self.load = load
        self.transport = None
        self.buffer = b""
        self.waiting = None
        self.is_reusable = True

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, number):
        """The answer to come: its status and body; None if the connection ends without one."""
        body = b'{"instances": [%d]}' % number
        head = f"POST {PATH} HTTP/1.1\r\nHost: {self.load.address}\r\nContent-Length: {len(body)}"
        self.waiting = asyncio.get_running_loop().create_future()
        lines = head.encode("ascii") + b"\r\n" + self.load.fields(number)
        self.transport.write(lines + b"\r\n" + body)
        return self.waiting

    def data_received(self, data):
        self.buffer += data
        if self.waiting is None:
            self.load.unasked.append(self.buffer)
            return
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if not found or (content := content_of(lines, rest)) is None:
            return
        body, self.buffer = content
        if self.buffer:
            self.load.unasked.append(self.buffer)
        if b"connection: close" in lines:
            self.is_reusable = False
        self._end((int(head.split(b" ", 2)[1]), body))

    def connection_lost(self, _):
        self.is_reusable = False
        if self in self.load._idle:
            self.load._idle.remove(self)
        self._end(None)

    def _end(self, answer):
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def close(self):
        self.transport.close()


def content_of(lines, rest):
    """The body that begins `rest`, and what is behind it; None while it is not there as a whole."""
    if b"transfer-encoding: chunked" not in lines:
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        length = lengths[0] if lengths else 0
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found or len(rest) < (length := int(size, 16)) + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return body, rest


def failure_of(answer, number):
    """What is wrong with an answer to a number; None for nothing."""
    if answer is None:
        return "the connection was closed"
    status, body = answer
    if status != 200:
        return f"{status} {body.decode('utf-8', 'replace')}"
    try:
        predictions = json.loads(body)["predictions"]
    except (ValueError, KeyError, TypeError):
        return f"no answer to a prediction: {body[:80]!r}"
    return None if predictions == [number / 2 + 2] else f"the answer of another: {predictions}"
