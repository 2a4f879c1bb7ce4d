"""Bombs as bytes that are ready to send, so that only sending and the server's answer take time."""

import contextlib
import gzip
import socket
import struct
import threading
import time

import hpack

from harness import http1
from harness.bombs import GRPC_BOMBS, PATH, REST_BOMBS
from harness.http2 import frame as grpc_frame

FRAME_BYTES = 16384
# What a connection may send before the server opens the window further (RFC 9113, section 6.9.2).
WINDOW_BYTES = 65535
# More than that is never asked for: a message is refused by its length, or by its first part.
MESSAGE_BYTES = 4 << 20

DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1


class RestBomb:
    """One request of HTTP/1.1."""

    def __init__(self, name):
        body, headers = REST_BOMBS[name]
        lines = [f"{key}: {value}" for key, value in headers.items()]
        self.payload = http1.post(PATH, body, *lines)

    def open(self, address):
        return connect(address)

    def send(self, connection):
        connection.sendall(self.payload)

    def release(self):
        """Nothing waits."""

    def read_refusal(self, connection):
        """The status, or that the server closed the connection."""
        answer = b""
        while b"\r\n" not in answer:
            part = receive(connection)
            if not part:
                return "closed"
            answer += part
        return int(answer.split(b" ")[1])


class GrpcBomb:
    """One call on a connection of HTTP/2 that has agreed on its settings."""

    def __init__(self, name):
        method, message, compressed = GRPC_BOMBS[name]
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "martlet.test"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        if compressed:
            message = gzip.compress(message)
            fields.append(("grpc-encoding", "gzip"))
        data = grpc_frame(message, compressed=int(compressed))
        whole = len(data) <= MESSAGE_BYTES
        data = data[:MESSAGE_BYTES]
        parts = [data[n : n + FRAME_BYTES] for n in range(0, len(data), FRAME_BYTES)]
        self.headers = http2_frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode(fields))
        self.frames = [http2_frame(DATA, 0, 1, part) for part in parts]
        if whole:
            self.frames[-1] = http2_frame(DATA, END_STREAM, 1, parts[-1])
        self.payload = self.headers + b"".join(self.frames)
        self.window = WINDOW_BYTES
        self.wider = threading.Condition()

    def open(self, address):
        connection = connect(address)
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(SETTINGS, 0, 0))
        connection.sendall(http2_frame(SETTINGS, ACK, 0))
        self.window = WINDOW_BYTES
        return connection

    def send(self, connection):
        """Sends frame after frame, as far as the connection's window is open; the stream's is."""
        connection.sendall(self.headers)
        for frame in self.frames:
            size = len(frame) - 9
            with self.wider:
                if not self.wider.wait_for(lambda size=size: self.window >= size, timeout=60):
                    return
                self.window -= size
            connection.sendall(frame)

    def release(self):
        """Lets a sender that still waits find its connection closed."""
        self.widen(MESSAGE_BYTES)

    def widen(self, increment):
        with self.wider:
            self.window += increment
            self.wider.notify()

    def read_refusal(self, connection):
        """`grpc-status`, or how else the call ended."""
        decoder, buffer = hpack.Decoder(), bytearray()
        while True:
            part = receive(connection)
            if not part:
                return "closed"
            buffer += part
            for kind, flags, stream, payload in take_frames(buffer):
                if kind == GOAWAY or (kind == RST_STREAM and stream == 1):
                    return f"error {struct.unpack('>I', payload[-4:])[0]}"
                if kind == WINDOW_UPDATE and stream == 0:
                    self.widen(int.from_bytes(payload, "big"))
                if kind == HEADERS:
                    fields = dict(decoder.decode(bytes(payload)))
                    if flags & END_STREAM:
                        return f"grpc-status {fields['grpc-status']}"


# Of a kind and a name; each is made but once.
BOMBS = [(RestBomb, name) for name in REST_BOMBS] + [(GrpcBomb, name) for name in GRPC_BOMBS]


def refuse(bomb, address):
    """What a bomb is refused with, and the seconds from the first byte sent to that."""
    with bomb.open(address) as connection:
        sender = threading.Thread(target=send, args=(bomb, connection))
        began = time.perf_counter()
        sender.start()
        refusal = bomb.read_refusal(connection)
        seconds = time.perf_counter() - began
        # Ends the sending of what the server no longer reads; it may have closed already.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        bomb.release()
        sender.join()
        return refusal, seconds


def connect(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(bomb, connection):
    # The server may have refused already, and closed.
    with contextlib.suppress(OSError):
        bomb.send(connection)


def receive(connection):
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def http2_frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
    return head + payload


def take_frames(buffer):
    """The whole frames at the start of a buffer, which are removed from it."""
    frames = []
    while len(buffer) >= 9:
        length = int.from_bytes(buffer[:3], "big")
        if len(buffer) < 9 + length:
            break
        kind, flags, stream = struct.unpack(">BBI", buffer[3:9])
        frames.append((kind, flags, stream, bytes(buffer[9 : 9 + length])))
        del buffer[: 9 + length]
    return frames
