"""What stands in for a node behind a gateway, and bears thousands of slow answers at once."""

import asyncio
import contextlib
import json
import threading

from bystanders import ROOT
from harness.faults import well_by_its_word

__all__ = ["LARGE_PATH", "ROOT", "Origin"]

PIECE_BYTES = 1 << 16
LARGE_PATH = b"/v1/models/large:predict"


class Origin:
    """Answers as the model half_plus_two does, and by much at `LARGE_PATH`; on one thread."""

    def __init__(self, large_bytes: int) -> None:
        self._large = b'{"predictions": ["%s"]}' % (b"x" * large_bytes)
        self._pages = {
            path.encode(): page for path, page in well_by_its_word("half_plus_two", "large").items()
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.address = ""

    def __enter__(self) -> "Origin":
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            if self._server:
                self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends):
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
