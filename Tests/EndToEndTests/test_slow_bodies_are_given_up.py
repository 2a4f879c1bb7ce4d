"""Clients that send a request's body a little at a time, to hold what it takes to receive one."""

import contextlib
import json
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest
from harness.clients import SECONDS, assert_unharmed
from harness.http1 import RawConnection
from harness.models import fixture

pytestmark = pytest.mark.deadline(60)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = json.dumps({"instances": [1.0] * 400}).encode()
# Within the test's patience: a second, and a thousand bytes for each one more.
FLAGS = ("--body-grace-seconds", 1, "--min-body-bytes-per-second", 1000)
HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: martlet.test\r\n"


@pytest.fixture(scope="module")
def node(module_martlet):
    return module_martlet.serve({"half_plus_two": fixture("half_plus_two")}, *FLAGS)


@pytest.fixture(scope="module")
def gateway(module_martlet):
    patient = module_martlet.serve({"half_plus_two": fixture("half_plus_two")})
    return module_martlet.gateway([patient], *FLAGS)


@pytest.fixture(params=["node", "gateway"])
def server(request):
    return request.getfixturevalue(request.param)


@contextlib.contextmanager
def dripping(send, pieces, seconds):
    """Sends pieces, each so long after the one before, until the end of the block."""
    stopped = threading.Event()

    def drip():
        with contextlib.suppress(OSError):
            for piece in pieces:
                if stopped.wait(seconds):
                    return
                send(piece)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


FRAMINGS = {
    "length": (b"Content-Length: %d\r\n\r\n" % len(BODY), [BODY[n : n + 1] for n in range(400)]),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n\r\n",
        [b"1\r\n" + BODY[n : n + 1] + b"\r\n" for n in range(400)],
    ),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_drip_is_told_to_hurry_up(server, framing):
    fields, pieces = FRAMINGS[framing]
    with RawConnection(server.address) as connection:
        connection.send(HEAD.encode() + fields)
        began = time.monotonic()
        with dripping(connection.send, pieces, 0.1):
            response = connection.read_response()
        assert response.status == 408
        assert "--min-body-bytes-per-second" in json.loads(response.body)["error"]
        assert 0.9 < time.monotonic() - began < 30
        assert response.headers["connection"] == "close"
    assert_unharmed(server)


def test_a_body_that_never_begins_is_given_up(server):
    with RawConnection(server.address) as connection:
        connection.send(HEAD.encode() + b"Content-Length: 10\r\n\r\n")
        assert connection.read_response().status == 408


def test_a_steady_body_is_taken_however_long_it_is(server):
    """Twice the least rate, for longer than the grace."""
    body = BODY + b" " * (8000 - len(BODY))
    pieces = [body[n : n + 200] for n in range(0, 8000, 200)]
    with RawConnection(server.address) as connection:
        connection.send(HEAD.encode() + b"Content-Length: 8000\r\n\r\n")
        with dripping(connection.send, pieces, 0.1):
            assert connection.read_response().status == 200


class Stream:
    """One request over HTTP/2, whose body is sent by hand."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.lock = threading.Lock()
        self.protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.protocol.initiate_connection()
        head = [(":method", "POST"), (":scheme", "http"), (":path", PREDICT), (":authority", "g")]
        self.protocol.send_headers(1, [*head, ("content-type", "application/json")])
        self.flush()

    def flush(self):
        self.socket.sendall(self.protocol.data_to_send())

    def send(self, data, end_stream=False):
        with self.lock:
            self.protocol.send_data(1, data, end_stream=end_stream)
            self.flush()

    def status(self):
        """The status of the answer; `None` for a reset without one."""
        while True:
            received = self.socket.recv(65536)
            assert received, "the connection was closed"
            with self.lock:
                for event in self.protocol.receive_data(received):
                    if isinstance(event, h2.events.ResponseReceived):
                        return int(dict(event.headers)[b":status"])
                    if isinstance(event, h2.events.StreamReset):
                        return None
                self.flush()


def test_a_drip_over_http_2_is_given_up(server):
    stream = Stream(server.address)
    began = time.monotonic()
    with contextlib.closing(stream.socket):
        with dripping(stream.send, [BODY[n : n + 1] for n in range(400)], 0.1):
            assert stream.status() == 408
        assert 0.9 < time.monotonic() - began < 30
    assert_unharmed(server)


def test_a_steady_body_over_http_2_is_taken(server):
    stream = Stream(server.address)
    body = BODY + b" " * (4000 - len(BODY))
    pieces = [(body[n : n + 200], n == 3800) for n in range(0, 4000, 200)]
    drip = dripping(lambda piece: stream.send(*piece), pieces, 0.1)
    with contextlib.closing(stream.socket), drip:
        assert stream.status() == 200


def test_a_silent_stream_of_calls_is_not_measured(server):
    """Streaming calls are open as long as they like."""
    done = threading.Event()

    def nothing():
        done.wait(SECONDS)
        yield from ()

    method = "/inference.GRPCInferenceService/ModelStreamInfer"
    call = server.grpc.channel.stream_stream(method)(nothing(), timeout=SECONDS)
    # Well beyond the grace.
    time.sleep(2.5)
    assert call.is_active()
    done.set()
    assert not list(call)
