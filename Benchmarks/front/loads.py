"""What the clients ask, and one question by a stock client, whose answer must be right."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from measurement import LoadError
from servers import ServerError

from front.processes import LARGE, LARGE_BYTES, MESSAGE, SMALL, PinnedServer

SECONDS_MAX = 10.0
GRPC_PATH = "/martlet.bench.Proxies/Call"
GRPC_REQUEST = bytes(20)


@dataclass(frozen=True)
class Load:
    """How the clients ask, and what they must be answered."""

    title: str
    connections: int
    path: str
    streams: int = 1
    is_grpc: bool = False
    is_encrypted: bool = False
    body: bytes = b""
    answer: bytes = SMALL.encode()
    # What a request moves that counts, where bytes a second are asked for.
    payload_bytes: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, port: int) -> bytes:
        """The head of a request as wrk sends it."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        if self.body:
            lines[0] = f"POST {self.path} HTTP/1.1"
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode()

    def url(self, port: int) -> str:
        """Where a target is asked."""
        return f"{'https' if self.is_encrypted else 'http'}://127.0.0.1:{port}{self.path}"


HTTP = Load("HTTP/1.1, 200 bytes, 64 connections", 64, "/v1/answer")
TLS = Load("TLS 1.3, 200 bytes, 64 connections", 64, "/v1/answer", is_encrypted=True)
GRPC = (
    Load("gRPC, 64 connections", 64, GRPC_PATH, is_grpc=True),
    Load("gRPC, 8 connections of 8 streams", 8, GRPC_PATH, streams=8, is_grpc=True),
)
LARGE_LOADS = (
    Load("600 KB up, 16 connections", 16, "/v1/answer", body=LARGE, payload_bytes=LARGE_BYTES),
    Load("600 KB down, 16 connections", 16, "/large", answer=LARGE, payload_bytes=LARGE_BYTES),
)


@dataclass(frozen=True)
class Target:
    """Who is asked: a backend, maybe through a proxy."""

    title: str
    port: int
    backend: PinnedServer
    proxy: PinnedServer | None = None


def check(load: Load, target: Target, certificate: str) -> int:
    """Ask once; the size of the whole answer, head and all (0 for gRPC)."""
    if load.is_grpc:
        check_grpc(target)
        return 0
    try:
        with connection(load, target, certificate) as stream:
            stream.sendall(load.head(target.port) + load.body)
            received = read_answer(stream, load.answer)
    except (OSError, ssl.SSLError) as error:
        raise LoadError(f"{load.title}, {target.title}: {error}") from error
    return len(received)


@contextmanager
def connection(load: Load, target: Target, certificate: str) -> Iterator[socket.socket]:
    """A connection as the load's are; over TLS the certificate must be the one we made."""
    with socket.create_connection(("127.0.0.1", target.port), SECONDS_MAX) as stream:
        if not load.is_encrypted:
            yield stream
            return
        context = ssl.create_default_context(cafile=certificate)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with context.wrap_socket(stream, server_hostname="127.0.0.1") as encrypted:
            yield encrypted


def cipher(target: Target, certificate: str) -> str:
    """The cipher that a stock client is given over TLS."""
    with connection(TLS, target, certificate) as stream:
        found = stream.cipher() if isinstance(stream, ssl.SSLSocket) else None
    if found is None:
        raise ServerError(f"{target.title} does not encrypt")
    return found[0]


def read_answer(stream: socket.socket, body: bytes) -> bytes:
    """The answer to one request: it must have status 200 and this body."""
    received = bytearray()
    while not (b"\r\n\r\n" in received[:8192] and received.endswith(body)):
        part = stream.recv(1 << 18)
        if not part:
            raise LoadError(f"not the answer that was due: {bytes(received[:400])!r}")
        received += part
        if len(received) > len(body) + 8192:
            raise LoadError(f"more than the answer that was due: {bytes(received[:400])!r}")
    head, _, rest = bytes(received).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or rest != body:
        raise LoadError(f"not the answer that was due: {bytes(received[:400])!r}")
    return bytes(received)


def check_grpc(target: Target) -> None:
    """Ask once by gRPC's own client: message and trailer must come."""
    address = f"127.0.0.1:{target.port}"
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = channel.unary_unary(GRPC_PATH)(GRPC_REQUEST, timeout=SECONDS_MAX)
        except grpc.RpcError as error:
            raise LoadError(f"gRPC, {target.title}: {error}") from error
    if answer != MESSAGE:
        raise LoadError(f"gRPC, {target.title} answered {answer!r}")
