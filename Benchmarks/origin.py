"""What stands in for a node behind a gateway, and bears thousands of slow answers at once."""

import asyncio
import contextlib
import json
import signal
from multiprocessing.connection import Connection

from bystanders import SPAWNING, START_SECONDS_MAX, raise_file_limit
from harness.faults import well_by_its_word

PIECE_BYTES = 1 << 16
LARGE_PATH = b"/v1/models/large:predict"


class Origin:
    """A process that answers as the model half_plus_two does, and by much at `LARGE_PATH`."""

    def __init__(self, large_bytes: int) -> None:
        self._news, news = SPAWNING.Pipe()
        self._process = SPAWNING.Process(target=serve, args=(large_bytes, news), daemon=True)
        self.address = ""

    def __enter__(self) -> "Origin":
        self._process.start()
        if not self._news.poll(START_SECONDS_MAX):
            raise AssertionError("the stand-in for a node does not start")
        self.address = self._news.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


def serve(large_bytes: int, news: Connection) -> None:
    """Tells the address, and answers until it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_file_limit()
    asyncio.run(Answers(large_bytes).serve(news))


class Answers:
    """What is answered, on one thread."""

    def __init__(self, large_bytes: int) -> None:
        self._large = b'{"predictions": ["%s"]}' % (b"x" * large_bytes)
        self._pages = {
            path.encode(): page for path, page in well_by_its_word("half_plus_two", "large").items()
        }

    async def serve(self, news: Connection) -> None:
        """Listens, and tells where."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=4096)
        news.send(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                body = await reader.readexactly(length_of(head))
                status, content = self._answer(path, body)
                lines = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\n" % status
                writer.write(lines + b"content-length: %d\r\n\r\n" % len(content))
                # A transport moves all that waits in it for each part that it sends.
                for begin in range(0, len(content), PIECE_BYTES):
                    writer.write(content[begin : begin + PIECE_BYTES])
                    await writer.drain()
        writer.close()

    def _answer(self, path: bytes, body: bytes) -> tuple[int, bytes]:
        if path == LARGE_PATH:
            return 200, self._large
        if (page := self._pages.get(path)) is not None:
            return 200, page
        try:
            (number,) = json.loads(body)["instances"]
        except (ValueError, KeyError, TypeError):
            return 400, b'{"error": "cannot be read"}'
        return 200, json.dumps({"predictions": [number / 2 + 2]}).encode("ascii")


def length_of(head: bytes) -> int:
    """The length of the content behind a head."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
