"""A wire between gateway and node that goes wrong, as it is told, at one place of an exchange."""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

# Every so many exchanges one is struck.
TURN = 3
STALL_SECONDS = 0.3
NOISE_BYTES = 64
# What the load asks for.
NUMBER = re.compile(rb'"instances": \[(\d+)\]')
FOREIGN = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n"
    b'{"predictions": [-1]}'
)

CONNECT, REQUEST, BEFORE, ANSWER = PLACES = (
    "on connecting",
    "in the request",
    "before the answer",
    "in the answer",
)


@dataclass
class Strike:
    """What is struck: what was to go on, whereto, and the gateway's end of the connection."""

    rest: bytes
    onward: asyncio.StreamWriter
    gateway: asyncio.StreamWriter
    random: random.Random


async def closed(strike: Strike) -> None:
    """The connection ends."""
    strike.gateway.close()


async def reset(strike: Strike) -> None:
    """The connection is broken off."""
    end = strike.gateway.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    strike.gateway.transport.abort()


async def half_closed(strike: Strike) -> None:
    """Nothing more comes, and what is sent is still taken."""
    with contextlib.suppress(OSError):
        strike.gateway.write_eof()


async def hung(strike: Strike) -> None:
    """Nothing passes any more."""
    await asyncio.Event().wait()


async def stalled(strike: Strike) -> None:
    """Nothing passes for a while."""
    await asyncio.sleep(STALL_SECONDS)
    strike.onward.write(strike.rest)


async def trickled(strike: Strike) -> None:
    """The rest comes byte by byte."""
    for place in range(len(strike.rest)):
        strike.onward.write(strike.rest[place : place + 1])
        await asyncio.sleep(0.0005)


async def noise(strike: Strike) -> None:
    """The gateway gets what nobody has sent, and then the rest."""
    strike.gateway.write(strike.random.randbytes(NOISE_BYTES))
    strike.onward.write(strike.rest)


async def zeros(strike: Strike) -> None:
    """The gateway gets zeros, and then the rest."""
    strike.gateway.write(bytes(NOISE_BYTES))
    strike.onward.write(strike.rest)


async def doubled(strike: Strike) -> None:
    """The rest comes twice."""
    strike.onward.write(strike.rest * 2)


async def lost(strike: Strike) -> None:
    """The rest does not come, and what is behind it does."""


async def flipped(strike: Strike) -> None:
    """A bit of the rest is another."""
    rest = bytearray(strike.rest)
    if rest:
        rest[strike.random.randrange(len(rest))] ^= 1 << strike.random.randrange(8)
    strike.onward.write(bytes(rest))


async def foreign(strike: Strike) -> None:
    """A whole answer comes that is to nothing, and then the rest."""
    strike.gateway.write(FOREIGN)
    strike.onward.write(strike.rest)


# On connecting there is nothing on its way that these could change.
NEED_BYTES = frozenset({"byte by byte", "doubled", "lost", "a bit flipped"})

FAULTS: dict[str, Callable[[Strike], Awaitable[None]]] = {
    "closed": closed,
    "reset": reset,
    "half closed": half_closed,
    "hung": hung,
    "stalled": stalled,
    "byte by byte": trickled,
    "noise": noise,
    "zeros": zeros,
    "doubled": doubled,
    "lost": lost,
    "a bit flipped": flipped,
    "an answer to nothing": foreign,
}


def is_possible(fault: str, place: str) -> bool:
    """Whether a fault changes anything at a place."""
    return place != CONNECT or fault not in NEED_BYTES


class Wire:
    """Takes connections for a node and passes on what comes, until `strikes` says otherwise.

    While connecting is what goes wrong, each exchange gets a connection of its own: those that are
    kept would never be struck.
    """

    def __init__(self, address: str, seed: int = 1) -> None:
        self.target = address.rsplit(":", 1)
        self.hits = 0
        # The numbers that were asked for in exchanges that were struck.
        self.struck: set[int] = set()
        self._fault: tuple[str, str] | None = None
        self._turn = 0
        self._random = random.Random(seed)
        # The loop itself forgets a task that waits for nothing else that lives, as a hung one does.
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        self._server = started.result(10)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @contextlib.contextmanager
    def strikes(self, fault: str, place: str):
        """Within the block every third exchange goes wrong."""
        self._fault = fault, place
        try:
            yield
        finally:
            self._fault = None

    def close(self) -> None:
        """Ends all connections, and takes no more."""

        async def end() -> None:
            self._server.close()
            # Connections that were just taken begin theirs meanwhile.
            while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
                await cancelled(tasks)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _takes(self, *places: str) -> bool:
        """Whether it is an exchange's turn to be struck at one of these places."""
        if self._fault is None or self._fault[1] not in places:
            return False
        self._turn += 1
        return self._turn % TURN == 0

    async def _strike(
        self, rest: bytes, onward: asyncio.StreamWriter, gateway: asyncio.StreamWriter
    ) -> None:
        if self._fault is None:
            onward.write(rest)
            return
        self.hits += 1
        await FAULTS[self._fault[0]](Strike(rest, onward, gateway, self._random))

    def _serve(self, reader: asyncio.StreamReader, gateway: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, gateway))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, gateway: asyncio.StreamWriter) -> None:
        # A RuntimeError tells that something came behind what was half closed.
        with contextlib.suppress(OSError, RuntimeError, asyncio.CancelledError):
            its_reader, node = await asyncio.open_connection(*self.target)
            halves: list[asyncio.Task[None]] = []
            try:
                exchange = Exchange()
                if self._takes(CONNECT):
                    exchange.began_struck = True
                    await self._strike(b"", node, gateway)
                halves = [
                    asyncio.create_task(self._requests(reader, node, gateway, exchange)),
                    asyncio.create_task(self._answers(its_reader, gateway, exchange)),
                ]
                await asyncio.gather(*halves)
            finally:
                node.close()
                gateway.close()
                await cancelled(halves)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        node: asyncio.StreamWriter,
        gateway: asyncio.StreamWriter,
        exchange: "Exchange",
    ) -> None:
        while data := await reader.read(1 << 16):
            # Checks, which are no posts, are left alone.
            if exchange.began_struck:
                self._note(data)
            if data.startswith(b"POST") and self._takes(REQUEST, BEFORE, ANSWER):
                self._note(data)
                if self._fault and self._fault[1] == REQUEST:
                    half = len(data) // 2
                    node.write(data[:half])
                    await self._strike(data[half:], node, gateway)
                    continue
                exchange.is_struck = True
            node.write(data)
        node.close()

    async def _answers(
        self, reader: asyncio.StreamReader, gateway: asyncio.StreamWriter, exchange: "Exchange"
    ) -> None:
        while data := await reader.read(1 << 16):
            if exchange.is_struck and self._fault:
                exchange.is_struck = False
                half = len(data) // 2 if self._fault[1] == ANSWER else 0
                gateway.write(data[:half])
                await self._strike(data[half:], gateway, gateway)
                continue
            gateway.write(data)
            # One that was struck goes on, so that what is asked over it is noted.
            if self._fault and self._fault[1] == CONNECT and not exchange.began_struck:
                break
        gateway.close()

    def _note(self, data: bytes) -> None:
        """Notes the number that a struck request asks for."""
        self.struck.update(int(number) for number in NUMBER.findall(data))


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Ends tasks, whatever they wait for."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


@dataclass
class Exchange:
    """A request under way on a connection."""

    # Whether its answer is to be struck.
    is_struck: bool = False
    # Whether its connection was struck before anything was asked.
    began_struck: bool = False
