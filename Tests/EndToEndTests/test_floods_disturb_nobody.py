"""Floods that hold connections or streams: they are ended in time, and all others are answered.

Floods of frames are in test_gateway_passes_every_kind_of_message.py, and how fast others are
answered meanwhile is measured by Benchmarks/floods.py.
"""

import contextlib
import socket
import threading

import pytest
from harness.clients import RestClient
from harness.faults import well_by_its_word
from harness.floods import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    Frames,
    framed,
)
from harness.open_loop import OpenLoop
from harness.policies import follow, pool
from harness.stand_ins import halving, stand_in
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(120)

PATIENCE = 60.0
MIB = 1 << 20
LARGE = b'{"predictions": [' + b" " * (4 * MIB) + b"1]}"


@pytest.fixture
def node():
    def answer(handler, body):
        if b"large" in body:
            with contextlib.suppress(OSError):
                handler.send(200, LARGE)
        else:
            halving(handler, body)

    with stand_in(answer, well_by_its_word()) as server:
        yield server


@pytest.fixture
def gateway_of(martlet, node):
    """Starts a gateway with flags."""
    return lambda *flags: follow(
        martlet, {"pools": [pool("main", node)]}, "--no-access-log", *flags
    )


@contextlib.contextmanager
def neighbours(gateway):
    """Clients that are all answered, within the block."""
    with OpenLoop(gateway.address, rate=50, patience=PATIENCE, first=20) as load:
        yield load
        load.await_more(20)
    load.assert_perfect()


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def await_closed(connections):
    """Awaits that the server ends each; what it says before does not matter."""
    for connection in connections:
        with contextlib.suppress(ConnectionError):
            while connection.recv(1 << 16):
                pass


def test_heads_that_never_end_are_given_up_and_others_answered(gateway_of):
    gateway = gateway_of("--header-timeout-seconds", 1)
    with neighbours(gateway), contextlib.ExitStack() as scope:
        slow = [scope.enter_context(connect(gateway.address)) for _ in range(300)]
        stopping = threading.Event()

        def drip():
            while not stopping.wait(0.2):
                for connection in slow:
                    with contextlib.suppress(OSError):
                        connection.send(b"X-Bird: swift\r\n")

        for connection in slow:
            connection.send(b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\n")
        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        try:
            await_closed(slow)
        finally:
            stopping.set()
            dripping.join(PATIENCE)


def test_connections_beyond_the_limit_are_closed_and_those_within_served(gateway_of):
    gateway = gateway_of("--max-connections", 60, "--header-timeout-seconds", 2)

    def is_answered(client):
        answer = client.predict("half_plus_two", {"instances": [1.0]})
        return answer.status_code == 200 and answer.json() == {"predictions": [2.5]}

    assert is_answered(gateway.rest)
    with contextlib.ExitStack() as scope:
        many = []
        for _ in range(300):
            many.append(scope.enter_context(connect(gateway.address)))
            if len(many) % 20 == 0:
                assert is_answered(gateway.rest)
        # Those beyond the limit at once, and those within as they ask nothing.
        await_closed(many)
        with contextlib.closing(RestClient(gateway.address)) as client:
            assert is_answered(client)


def test_answers_that_nobody_takes_are_given_up(gateway_of):
    """The window stays at nothing, on many streams of many connections."""
    gateway = gateway_of("--body-timeout-seconds", 1)
    before = gateway.resident_bytes()
    with neighbours(gateway), contextlib.ExitStack() as scope:
        clients = [scope.enter_context(Frames(gateway.address)) for _ in range(5)]
        for client in clients:
            client.socket.settimeout(PATIENCE)
            client.frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0")
            for stream in range(1, 41, 2):
                client.headers(stream, client.request(), end_stream=False)
                client.frame(0, END_STREAM, stream, b"large")
        for client in clients:
            left = set(range(1, 41, 2))
            while left and (frame := client.read_frame()):
                kind, _, stream, payload = frame
                assert kind != 0 or not payload, "data came though the window is closed"
                if kind == RST_STREAM:
                    left.discard(stream)
    # Answers are not gathered for those who do not take them.
    assert gateway.resident_bytes() - before < 64 * MIB


def test_answers_to_pings_that_nobody_reads_end_the_connection(gateway_of):
    gateway = gateway_of()
    floods = gateway.admin.metrics().total("martlet_http2_floods_total")
    with neighbours(gateway), Frames(gateway.address) as client:
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                client.socket.sendall(framed(PING, 0, 0, b"12345678") * 500)
        await_until(
            lambda: gateway.admin.metrics().total("martlet_http2_floods_total") == floods + 1,
            "the flood to be counted",
            PATIENCE,
        )


def test_streams_beyond_the_limit_are_refused_and_others_answered(gateway_of):
    gateway = gateway_of("--max-concurrent-streams", 50)
    with neighbours(gateway), Frames(gateway.address) as client:
        pieces = []
        for stream in range(1, 401, 2):
            block = client.encoder.encode(client.request(), huffman=False)
            pieces.append(framed(HEADERS, END_HEADERS, stream, block))
        client.socket.sendall(b"".join(pieces))
        refused = set()
        # All beyond the limit, or the whole connection.
        while len(refused) < 150 and (frame := client.read_frame()):
            if frame[0] == RST_STREAM:
                refused.add(frame[2])
        assert refused <= set(range(101, 401, 2))


def test_answers_that_nobody_reads_wait_within_the_budget(gateway_of, node):
    """They are held back to be whole or not at all: that memory counts until they have left."""
    gateway = gateway_of("--replay-budget-bytes", 16 * MIB)
    body = b'{"instances": ["large"]}'
    request = (
        b"POST /v1/models/half:predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json"
        b"\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    )
    before = gateway.resident_bytes()
    with contextlib.ExitStack() as stack, neighbours(gateway):
        for _ in range(150):
            client = stack.enter_context(socket.socket())
            # The kernel is to keep little of it.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(PATIENCE)
            host, port = gateway.address.rsplit(":", 1)
            client.connect((host, int(port)))
            client.sendall(request)
            # It has begun, and not a byte more is read of it.
            assert client.recv(1, socket.MSG_PEEK) == b"H"
        print(gateway.resident_bytes() - before)
        assert gateway.resident_bytes() - before < 96 * MIB
