"""gRPC calls framed by hand over HTTP/2, for what the stock client would never send."""

import dataclasses
import socket
import struct
import urllib.parse

import h2.config
import h2.connection
import h2.events


@dataclasses.dataclass
class Ending:
    """How a call ended: by trailers, or by a reset of its stream or connection."""

    headers: dict
    reset: int | None = None

    @property
    def status(self):
        return int(self.headers["grpc-status"])

    @property
    def message(self):
        return urllib.parse.unquote(self.headers.get("grpc-message", ""))


def frame(message, compressed=0, length=None):
    """A length-prefixed message, or one whose prefix lies."""
    return struct.pack(">BI", compressed, len(message) if length is None else length) + message


def call(address, path, data, headers=(), end_stream=True, seconds=60.0):
    """Sends one request of raw bytes and returns how the server ended it."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        protocol = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        protocol.initiate_connection()
        protocol.send_headers(
            1,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", address),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                *headers,
            ],
        )
        protocol.send_data(1, data, end_stream=end_stream)
        connection.sendall(protocol.data_to_send())
        return read_ending(connection, protocol)


def read_ending(connection, protocol):
    received = {}
    while True:
        data = connection.recv(65536)
        if not data:
            raise AssertionError(f"the server closed the connection; headers so far: {received}")
        for event in protocol.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                received.update(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                return Ending(received)
            elif isinstance(event, h2.events.StreamReset):
                # Trailers may come with a reset that asks the client to send no more.
                return Ending(received, reset=event.error_code)
            elif isinstance(event, h2.events.ConnectionTerminated) and event.error_code:
                return Ending(received, reset=event.error_code)
        connection.sendall(protocol.data_to_send())
