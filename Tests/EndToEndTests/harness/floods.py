"""HTTP/2 frame by frame, without any rule, and the floods that are made of it."""

import contextlib
import socket
import struct
import threading

import hpack

PREDICT = "/v1/models/half_plus_two:predict"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
ENHANCE_YOUR_CALM = 0xB


class Frames:
    """HTTP/2 frame by frame, without any rule."""

    def __init__(self, address):
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        host, port = address.rsplit(":", 1)
        self.address = address
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.frame(SETTINGS, 0, 0, b"")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, kind, flags, stream, payload=b""):
        self.socket.sendall(framed(kind, flags, stream, payload))

    def block(self, fields):
        return self.encoder.encode(fields)

    def headers(self, stream, fields, end_stream=True):
        flags = END_HEADERS | (END_STREAM if end_stream else 0)
        self.frame(HEADERS, flags, stream, self.block(fields))

    def request(self, path=PREDICT):
        return [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", self.address),
        ]

    def read_frame(self):
        """Kind, flags, stream and payload of the next frame; `None` when the server has closed."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                return None
            if not data:
                return None
            self.buffer += data
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
        return kind, flags, stream & 0x7FFFFFFF, payload

    def read_ending(self, stream):
        """The status of a stream's answer, or how it ended otherwise."""
        while frame := self.read_frame():
            kind, _, its, payload = frame
            if kind == HEADERS and its == stream:
                return dict(self.decoder.decode(payload)).get(":status")
            if kind == RST_STREAM and its == stream:
                return "reset"
            if kind == GOAWAY:
                return "goaway"
        return "closed"

    def flood(self, pieces):
        """Sends while it may; the code of the GOAWAY that came, `None` without one."""
        code = []

        def read():
            # The socket is closed below this where a flood is borne.
            with contextlib.suppress(OSError):
                while frame := self.read_frame():
                    if frame[0] == GOAWAY:
                        code.append(int.from_bytes(frame[3][4:8], "big"))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.socket.sendall(piece)
        # A server that bears all of it does not close.
        reader.join(3)
        return code[0] if code else None


def framed(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def reset_streams(block, streams):
    return b"".join(
        framed(HEADERS, END_HEADERS, stream, block) + framed(RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in streams
    )


def resets(client):
    yield reset_streams(client.block(client.request()), [1])
    # From the second time on a block says the same, as the table of fields has them.
    block = client.block(client.request())
    for first in range(3, 40_003, 40):
        yield reset_streams(block, range(first, first + 40, 2))


def pings(client):
    for _ in range(200):
        yield framed(PING, 0, 0, b"12345678") * 500


def settings(client):
    for _ in range(200):
        yield framed(SETTINGS, 0, 0, b"\0\3\0\0\0\x64") * 500


def continuations(client):
    yield framed(HEADERS, END_STREAM, 1, client.block(client.request()))
    for number in range(20_000):
        field = b"\x40\x0ax-bird-%03d\x05swift" % (number % 1000)
        yield framed(CONTINUATION, 0, 1, field)


def empty_continuations(client):
    yield framed(HEADERS, END_STREAM, 1, client.block(client.request()))
    for _ in range(20_000):
        yield framed(CONTINUATION, 0, 1)


def empty_data(client):
    yield framed(HEADERS, END_HEADERS, 1, client.block(client.request()))
    for _ in range(200):
        yield framed(DATA, 0, 1) * 100


def large_fields(client):
    yield framed(HEADERS, END_STREAM, 1, client.block(client.request()))
    for _ in range(200):
        yield framed(CONTINUATION, 0, 1, b"\x40\x01a\x7f\xff\x7d" + b"b" * 16_000)


def priorities(client):
    yield framed(HEADERS, END_HEADERS, 1, client.block(client.request()))
    for _ in range(200):
        yield framed(PRIORITY, 0, 1, b"\0\0\0\0\x10") * 500


def unknown_frames(client):
    for _ in range(200):
        yield framed(0xBE, 0, 0, b"12345678") * 500


def broken_streams(client):
    """A window opened by nothing is an error of its stream alone."""
    for number in range(20_000):
        stream = 2 * number + 1
        block = client.encoder.encode(client.request(), huffman=False)
        yield framed(HEADERS, END_HEADERS, stream, block) + framed(
            WINDOW_UPDATE, 0, stream, bytes(4)
        )


def late_window_updates(client):
    """Of a stream that has ended."""
    yield framed(HEADERS, END_HEADERS, 1, client.block(client.request()))
    yield framed(RST_STREAM, 0, 1, b"\0\0\0\x08")
    for _ in range(200):
        yield framed(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01") * 500


def window_updates(client):
    """Of the connection, while nothing waits for them."""
    for _ in range(200):
        yield framed(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01") * 500


def tiny_data(client):
    """A body, byte by byte."""
    yield framed(HEADERS, END_HEADERS, 1, client.block(client.request()))
    for _ in range(200):
        yield framed(DATA, 0, 1, b" ") * 500


FLOODS = (
    resets,
    pings,
    settings,
    continuations,
    empty_continuations,
    empty_data,
    large_fields,
    priorities,
    unknown_frames,
    broken_streams,
    late_window_updates,
    window_updates,
    tiny_data,
)
