"""HTTP/1.1 by hand, for what no well-behaved client would send."""

import dataclasses
import socket

from harness.waiting import await_until


@dataclasses.dataclass
class Response:
    status: int
    headers: dict
    body: bytes


class RawConnection:
    """A TCP connection; reads have a time limit, so a server that hangs fails the test."""

    def __init__(self, address, seconds=60.0):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=seconds)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_until_closed(self):
        """All that the server still sends; a reset counts as closed."""
        while self._receive():
            pass
        return self.buffer

    def read_response(self):
        while b"\r\n\r\n" not in self.buffer:
            assert self._receive(), f"closed before a whole answer: {self.buffer!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(
            (name.lower(), value.strip()) for name, value in (s.split(":", 1) for s in lines[1:])
        )
        length = int(headers["content-length"])
        while len(self.buffer) < length:
            assert self._receive(), "closed in the middle of a body"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Response(int(lines[0].split(" ")[1]), headers, body)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)


def post(path, body, *headers, host="martlet.test"):
    """The bytes of a well-formed request, with further header lines as they are given."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def refuses_connections(address):
    """Whether a new connection is refused, which is how a server that drains looks from outside."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def await_refusal(address):
    await_until(lambda: refuses_connections(address), f"{address} to refuse new connections")
