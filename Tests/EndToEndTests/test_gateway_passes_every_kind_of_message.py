"""Streams, trailers, large bodies, upgrades; and what the gateway does with none of them."""

import contextlib
import hashlib
import json
import queue
import socket
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server
from harness.certificates import curl
from harness.clients import RestClient
from harness.faults import well_by_its_word
from harness.floods import (
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOODS,
    PING,
    RST_STREAM,
    Frames,
)
from harness.http1 import RawConnection
from harness.malformed import HOST, LENGTH, MALFORMED, SMUGGLED, request
from harness.policies import follow, pool
from harness.raw_nodes import GOOD, raw_node
from harness.waiting import await_until

PREDICT = "/v1/models/half_plus_two:predict"
BODY = b'{"instances": [1.0]}'
MIB = 1 << 20

# What is passed on as it comes: nothing of it is kept for another attempt.
STREAM = "/v1/responses"


@pytest.fixture
def passing(martlet):
    """Starts a gateway in front of one node, that has nothing to decide, or much."""

    def start(node, *flags, **route):
        policy = {"pools": [pool("main", node)]}
        if route:
            policy["routes"] = [{"name": "r", **route}]
        return follow(martlet, policy, *flags)

    return start


def lines_of(head):
    return head.decode("latin-1").lower().split("\r\n")


def head_of(path, *fields, method="POST"):
    lines = [f"{method} {path} HTTP/1.1", "Host: martlet.test", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_head(client):
    while b"\r\n\r\n" not in client.buffer:
        assert client._receive(), f"closed before a whole head: {client.buffer!r}"
    head, _, client.buffer = client.buffer.partition(b"\r\n\r\n")
    return head


# Chunks, trailers, heads


@pytest.mark.parametrize("path", [PREDICT, STREAM])
def test_chunks_pass_up(passing, path):
    pieces = [b"a" * 5, b"b" * 100_000, b"c"]
    with raw_node() as node:
        gateway = passing(node)
        response = gateway.rest.session.post(gateway.rest.url + path, data=iter(pieces), timeout=60)
        assert response.content == b"good"
        assert node.bodies == [b"".join(pieces)]
        assert "transfer-encoding: chunked" in lines_of(node.heads[0])
        assert not any(line.startswith("content-length") for line in lines_of(node.heads[0]))
        # The connection goes on.
        assert gateway.rest.post(path, b"again").content == b"good"
        assert node.bodies[1:] == [b"again"]


@pytest.mark.parametrize("path", [PREDICT, STREAM])
def test_chunks_pass_down(passing, path):
    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (b"first", b"x" * 70_000, b"last"):
            peer.send(b"%x;name=value\r\n" % len(piece) + piece + b"\r\n")
        peer.send(b"0\r\n\r\n")

    with raw_node(answer) as node:
        gateway = passing(node)
        for _ in range(2):
            response = gateway.rest.post(path, BODY)
            assert response.content == b"first" + b"x" * 70_000 + b"last"


def test_content_up_to_the_end_of_the_connection_passes(passing):
    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        return False

    with raw_node(answer) as node:
        gateway = passing(node)
        for path in (PREDICT, STREAM, PREDICT):
            assert gateway.rest.post(path, BODY).content == b"all of it"


def test_trailers_pass_both_ways(passing):
    trailers = []

    def answer(node, peer, head):
        trailers.extend(peer.read_chunks()[1])
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n")
        peer.send(b"4\r\ngood\r\n0\r\nx-sum: down\r\n\r\n")

    with raw_node(answer) as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            client.send(head_of(PREDICT, "Transfer-Encoding: chunked", "Trailer: x-sum"))
            client.send(b"2\r\nab\r\n0\r\nx-sum: up\r\n\r\n")
            head = read_head(client)
            assert b"chunked" in head.lower()
            while not client.buffer.endswith(b"\r\n\r\n"):
                assert client._receive()
            assert client.buffer.endswith(b"0\r\nx-sum: down\r\n\r\n")
    assert [line.lower() for line in trailers] == [b"x-sum: up"]


@pytest.mark.parametrize("name", ["content-length: 5", "host: other", "transfer-encoding: chunked"])
def test_trailers_change_nothing_of_their_message(passing, name):
    with raw_node() as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            client.send(head_of(PREDICT, "Transfer-Encoding: chunked"))
            client.send(b"2\r\nab\r\n0\r\n" + name.encode() + b"\r\n\r\n")
            assert read_head(client).split(b" ")[1] in (b"200", b"400")
        gateway.assert_running()
        assert all(line.split(":")[0] != "other" for line in lines_of(b"".join(node.heads)))


def test_clients_are_told_to_continue(passing):
    with raw_node() as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            fields = (f"Content-Length: {len(BODY)}", "Expect: 100-continue")
            client.send(head_of(PREDICT, *fields))
            assert read_head(client).startswith(b"HTTP/1.1 100 ")
            client.send(BODY)
            assert client.read_response().body == b"good"
        code, status, body = curl(
            *("-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", "x" * 5000),
            f"http://{gateway.address}{PREDICT}",
        )
        assert (code, status, body) == (0, 200, "good")
    assert node.bodies == [BODY, b"x" * 5000]


def test_clients_are_not_told_to_continue_what_is_refused(passing):
    with raw_node() as node:
        gateway = passing(node, limits={"body_bytes": 10})
        with RawConnection(gateway.address) as client:
            fields = (f"Content-Length: {len(BODY)}", "Expect: 100-continue")
            client.send(head_of(PREDICT, *fields))
            assert read_head(client).startswith(b"HTTP/1.1 413 ")
    assert node.heads == []


def test_interim_answers_of_a_node_are_not_taken_for_its_answer(passing):
    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        peer.send(GOOD)

    with raw_node(answer) as node:
        gateway = passing(node)
        for _ in range(2):
            assert gateway.rest.post(PREDICT, BODY).content == b"good"


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_heads_are_asked_for_alone(passing, node, version):
    gateway = passing(node)
    url = f"http://{gateway.address}/v1/models/half_plus_two"
    code, status, head = curl(version, "--head", url)
    assert (code, status) == (0, 200)
    length = len(node.rest.get("/v1/models/half_plus_two").content)
    assert f"content-length: {length}" in head.lower()
    # Content would be taken for the next answer.
    for _ in range(2):
        response = gateway.rest.session.head(gateway.rest.url + "/v1/models/half_plus_two")
        assert (response.status_code, response.content) == (200, b"")


def test_answer_to_a_head_with_a_length_has_no_content(passing):
    def answer(node, peer, head):
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")

    with raw_node(answer) as node:
        gateway = passing(node)
        for _ in range(2):
            response = gateway.rest.session.head(gateway.rest.url + "/x", timeout=60)
            assert response.headers["Content-Length"] == "1000"


def test_requests_sent_at_once_are_answered_in_order(passing):
    def answer(node, peer, head):
        content = peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content)

    with raw_node(answer) as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            bodies = [b"%d" % number * number for number in range(1, 30)]
            client.send(b"".join(head_of(PREDICT, f"Content-Length: {len(b)}") + b for b in bodies))
            assert [client.read_response().body for _ in bodies] == bodies


# Large bodies

LARGE = 160 * MIB
# What may be kept on the way: the part that is held for another attempt, and buffers.
KEPT = 64 * MIB


def settled(value, seconds=1.0):
    """A number that grows, once it has not grown for a while."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        if value() != last:
            last, since = value(), time.monotonic()
    return last


@pytest.mark.parametrize("path", [PREDICT, STREAM])
def test_large_answer_waits_for_a_slow_reader_at_the_node(passing, path):
    piece = bytes(range(256)) * 4096
    sent = [0]

    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // MIB):
            peer.send(piece)
            sent[0] += MIB

    with raw_node(answer) as node:
        gateway = passing(node)
        before = gateway.resident_bytes()
        with RawConnection(gateway.address) as client:
            client.send(head_of(path, "Content-Length: 0"))
            assert settled(lambda: sent[0]) < LARGE // 2
            assert gateway.resident_bytes() - before < KEPT
            read_head(client)
            got, digest = len(client.buffer), hashlib.sha256(client.buffer)
            while got < LARGE:
                data = client.socket.recv(MIB)
                assert data, "closed in the middle"
                got += len(data)
                digest.update(data)
        assert digest.digest() == hashlib.sha256(piece * (LARGE // MIB)).digest()
        assert gateway.resident_bytes() - before < KEPT


@pytest.mark.parametrize("path", [PREDICT, STREAM])
def test_large_request_waits_for_a_slow_node_at_the_client(passing, path):
    going, digests = threading.Event(), []

    def answer(node, peer, head):
        going.wait(100)
        digest, left = hashlib.sha256(), LARGE
        while left:
            data = peer.read(min(left, MIB))
            assert data
            digest.update(data)
            left -= len(data)
        digests.append(digest.digest())
        peer.send(GOOD)

    piece = bytes(range(256)) * 4096
    sent = [0]
    with raw_node(answer) as node:
        gateway = passing(node, "--max-message-bytes", LARGE)
        before = gateway.resident_bytes()
        with RawConnection(gateway.address, seconds=25) as client:
            client.send(head_of(path, f"Content-Length: {LARGE}"))

            def send():
                for _ in range(LARGE // MIB):
                    client.send(piece)
                    sent[0] += MIB

            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            assert settled(lambda: sent[0]) < LARGE // 2
            assert gateway.resident_bytes() - before < KEPT
            going.set()
            sender.join(120)
            assert client.read_response().body == b"good"
        assert digests == [hashlib.sha256(piece * (LARGE // MIB)).digest()]
        assert gateway.resident_bytes() - before < KEPT


def test_node_that_answers_before_it_has_read_all_is_heard(passing):
    def answer(node, peer, head):
        peer.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        return False

    with raw_node(answer) as node:
        gateway = passing(node, "--max-message-bytes", LARGE)
        with RawConnection(gateway.address) as client:
            client.send(head_of(STREAM, f"Content-Length: {LARGE}"))
            response = client.read_response()
            assert (response.status, response.body) == (403, b"no")


# Events as they come


@pytest.mark.parametrize("path", [PREDICT, STREAM])
@pytest.mark.parametrize("route", [{}, {"headers": {"response": {"add": {"x-a": "b"}}}}])
def test_events_come_one_by_one(passing, path, route):
    read = threading.Semaphore(0)

    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        peer.send(b"transfer-encoding: chunked\r\n\r\n")
        for number in range(5):
            event = b"data: %d\n\n" % number
            peer.send(b"%x\r\n" % len(event) + event + b"\r\n")
            # The next one comes when this one was read.
            assert read.acquire(timeout=60)
        peer.send(b"0\r\n\r\n")

    with raw_node(answer) as node:
        gateway = passing(node, **route)
        with gateway.rest.post(path, BODY, stream=True) as response:
            for number, line in enumerate(filter(None, response.iter_lines(chunk_size=1))):
                assert line == b"data: %d" % number
                read.release()
        assert number == 4


def test_pieces_of_a_stream_come_one_by_one_both_ways(passing):
    def answer(node, peer, head):
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while size := peer.read_chunk_size():
            peer.send(b"%x\r\n" % size + peer.read(size).upper() + b"\r\n")
            peer.read_line()
        peer.read_line()
        peer.send(b"0\r\n\r\n")

    with raw_node(answer) as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            client.send(head_of(STREAM, "Transfer-Encoding: chunked"))
            client.send(b"3\r\nabc\r\n")
            read_head(client)
            for word in (b"abc", b"defg", b"h"):
                if word != b"abc":
                    client.send(b"%x\r\n" % len(word) + word + b"\r\n")
                while word.upper() not in client.buffer:
                    assert client._receive()
            client.send(b"0\r\n\r\n")
            while not client.buffer.endswith(b"0\r\n\r\n"):
                assert client._receive()


def test_client_that_leaves_a_stream_ends_it_at_the_node(passing):
    ended = threading.Event()

    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        peer.send(b"transfer-encoding: chunked\r\n\r\n9\r\ndata: 0\n\n\r\n")
        if not peer.receive():
            ended.set()
        return False

    with raw_node(answer) as node:
        gateway = passing(node)
        with gateway.rest.post(STREAM, BODY, stream=True) as response:
            assert next(response.iter_lines(chunk_size=1)) == b"data: 0"
        assert ended.wait(100)


def test_stream_that_breaks_off_is_not_taken_for_a_whole_one(passing):
    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
        return False

    with raw_node(answer) as node:
        gateway = passing(node)
        with RawConnection(gateway.address) as client:
            client.send(head_of(STREAM, "Content-Length: 0"))
            received = client.read_until_closed()
    assert b"part" in received
    assert not received.endswith(b"0\r\n\r\n")


# gRPC streams


POLICIES = {
    "nothing": {},
    "fields": {"headers": {"response": {"add": {"x-a": "b"}}}},
    "models": {"match": {"models": ["half_plus_two"]}},
}


@pytest.mark.parametrize("route", POLICIES.values(), ids=POLICIES)
def test_grpc_streams_pass_both_ways_message_by_message(passing, node, route):
    gateway = passing(node, **route)
    client = tritonclient.grpc.InferenceServerClient(gateway.address)
    answers = queue.Queue()
    with contextlib.closing(client):
        client.start_stream(lambda result, error: answers.put((result, error)))
        for number in range(20):
            tensor = tritonclient.grpc.InferInput("x", [1], "FP32")
            tensor.set_data_from_numpy(np.array([number], np.float32))
            client.async_stream_infer("half_plus_two", [tensor])
            # The next is sent when this one is answered.
            result, error = answers.get(timeout=60)
            assert error is None, error
            assert result.as_numpy("y").tolist() == [number / 2 + 2]
        client.stop_stream()


# WebSocket


@contextlib.contextmanager
def websocket_node(serve):
    """A stock WebSocket server that is well by its word too."""
    pages = well_by_its_word()

    def page(connection, asked):
        if asked.path in pages:
            return connection.respond(200, pages[asked.path].decode())
        return None if asked.path.startswith("/socket") else connection.respond(404, "none\n")

    with websockets.sync.server.serve(
        serve, "127.0.0.1", 0, process_request=page, compression=None, max_size=None
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        host, port = server.socket.getsockname()[:2]
        try:
            yield f"{host}:{port}"
        finally:
            server.shutdown()
            thread.join(120)


def echo(connection):
    for message in connection:
        connection.send(message)


def websocket(gateway, path="/socket"):
    return websockets.sync.client.connect(
        f"ws://{gateway.address}{path}", compression=None, max_size=None, proxy=None
    )


@pytest.mark.parametrize("route", [{}, {"headers": {"request": {"add": {"x-a": "b"}}}}])
def test_websockets_echo_through_the_gateway(passing, route):
    with websocket_node(echo) as node:
        gateway = passing(node, **route)
        with websocket(gateway) as socket_:
            for message in ("text", b"\0\xff", "\N{BIRD}", b"x" * (3 * MIB), ""):
                socket_.send(message)
                assert socket_.recv(timeout=60) == message
            assert socket_.ping().wait(100)


def test_servers_speak_first_over_websockets(passing):
    def serve(connection):
        for number in range(3):
            connection.send(str(number))
        connection.close(4321, "enough")

    with websocket_node(serve) as node:
        gateway = passing(node)
        with websocket(gateway) as socket_:
            assert [socket_.recv(timeout=60) for _ in range(3)] == ["0", "1", "2"]
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                socket_.recv(timeout=60)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "enough")


def test_client_that_leaves_a_websocket_ends_it_at_the_node(passing):
    ended = threading.Event()

    def serve(connection):
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            connection.recv()
            connection.recv()
        ended.set()

    with websocket_node(serve) as node:
        gateway = passing(node)
        with websocket(gateway) as socket_:
            socket_.send("hello")
            socket_.socket.shutdown(socket.SHUT_RDWR)
            assert ended.wait(100)


def test_upgrade_that_the_node_refuses_is_a_request_like_others(passing):
    with websocket_node(echo) as node:
        gateway = passing(node)
        with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
            websocket(gateway, "/elsewhere")
        assert refusal.value.response.status_code == 404
        with websocket(gateway) as socket_:
            socket_.send("still")
            assert socket_.recv(timeout=60) == "still"


def test_idle_websockets_outlast_the_limit_of_a_request(passing):
    with websocket_node(echo) as node:
        gateway = passing(node, timeouts={"total_seconds": 0.5})
        with websocket(gateway) as socket_:
            time.sleep(1)
            socket_.send("late")
            assert socket_.recv(timeout=60) == "late"


# What could be read in two ways

MORE_MALFORMED = {
    "bare line feeds": b"POST " + PREDICT.encode() + b" HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
    "a bare line feed in a field": request(HOST, LENGTH, b"X-Bird: a\nContent-Length: 0"),
    "a bare carriage return": request(HOST, LENGTH, b"X-Bird: a\rContent-Length: 0"),
    "a line feed behind a chunk size": request(
        HOST, b"Transfer-Encoding: chunked", body=b"14\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a line feed behind a chunk": request(
        HOST, b"Transfer-Encoding: chunked", body=b"14\r\n" + BODY + b"\n0\r\n\r\n"
    ),
    "a line feed in a chunk extension": request(
        HOST, b"Transfer-Encoding: chunked", body=b"14;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a carriage return in a chunk extension": request(
        HOST, b"Transfer-Encoding: chunked", body=b"14;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a chunk size with a sign": request(
        HOST, b"Transfer-Encoding: chunked", body=b"+14\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a chunk size with a prefix": request(
        HOST, b"Transfer-Encoding: chunked", body=b"0x14\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a chunk size with a space before it": request(
        HOST, b"Transfer-Encoding: chunked", body=b" 14\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "an empty chunk size": request(
        HOST, b"Transfer-Encoding: chunked", body=b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a chunk extension without end": request(
        HOST, b"Transfer-Encoding: chunked", body=b"14;" + b"a" * 70_000
    ),
    "a negative chunk size": request(
        HOST, b"Transfer-Encoding: chunked", body=b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "two transfer codings": request(
        HOST,
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    "a coding and a vertical tab": request(
        HOST, b"Transfer-Encoding: \x0bchunked", body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "chunks in HTTP/1.0": request(
        HOST,
        b"Transfer-Encoding: chunked",
        body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n",
        line=b"POST " + PREDICT.encode() + b" HTTP/1.0",
    ),
    "a folded first field": b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n",
    "a tab before the colon": request(HOST, b"Content-Length\t: 20"),
    "a target with a space": request(HOST, LENGTH, line=b"POST /a b HTTP/1.1"),
    "a target with a control character": request(HOST, LENGTH, line=b"POST /a\x01 HTTP/1.1"),
    "a host with a path": request(b"Host: a/b", LENGTH),
    "two hosts that agree": request(HOST, HOST, LENGTH),
    "a major version of the future": request(HOST, LENGTH, line=b"POST /x HTTP/3.1"),
    "a method of brackets": request(HOST, LENGTH, line=b"PO(ST /x HTTP/1.1"),
}
AMBIGUOUS = MALFORMED | MORE_MALFORMED


@pytest.fixture(scope="module")
def recorder():
    with raw_node() as node:
        yield node


@pytest.fixture(scope="module")
def guard(module_martlet, recorder):
    """A gateway with routes, in front of a node that records what it gets."""
    policy = {
        "pools": [pool("main", recorder)],
        "routes": [{"name": "r", "headers": {"request": {"add": {"x-a": "b"}}}}],
    }
    return follow(module_martlet, policy)


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_request_is_refused_and_no_whole_request_reaches_a_node(guard, recorder, data):
    bodies = len(recorder.bodies)
    with RawConnection(guard.address) as client:
        with contextlib.suppress(ConnectionError):
            client.send(data + SMUGGLED)
        received = client.read_until_closed()
    assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 ")), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    good = guard.rest.post(STREAM, b"after")
    assert good.content == b"good"
    # What had begun to come cannot have been read to its end.
    whole = [body for body in recorder.bodies[bodies:] if body != b""]
    assert whole == [b"after"]
    assert not any(b"GET /v1/models/half_plus_two " in head for head in recorder.heads)


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Te", "Upgrade"])
def test_what_connection_names_takes_nothing_away_that_frames_a_message(guard, recorder, name):
    before = recorder.count
    with RawConnection(guard.address) as client:
        client.send(
            head_of(PREDICT, f"Connection: {name}, close", f"Content-Length: {len(SMUGGLED)}")
            + SMUGGLED
        )
        received = client.read_until_closed()
    assert received.count(b"HTTP/1.1 ") == 1
    assert recorder.count == before + 1
    assert recorder.bodies[-1] == SMUGGLED
    lines = lines_of(recorder.heads[-1])
    assert "host: martlet.test" in lines
    assert f"content-length: {len(SMUGGLED)}" in lines


@pytest.mark.parametrize(
    "fields",
    [
        [(":path", "/a b")],
        [("content-length", "1000")],
        [("transfer-encoding", "chunked")],
        [("connection", "close")],
        [("x-bird", "a\r\nx-evil: 1")],
        [("x-bird\r\nx-evil", "1")],
        [("host", "other.test")],
        [(":path", "/a\r\nx-evil: 1")],
    ],
    ids=str,
)
def test_ambiguous_http2_requests_reach_no_node(martlet, node, fields):
    """The fields that HTTP/2 forbids, or that would be others in HTTP/1.1."""
    gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [{"name": "r"}]})
    pseudo = {
        ":method": "POST",
        ":scheme": "http",
        ":path": PREDICT,
        ":authority": gateway.address,
    }
    pseudo |= {name: value for name, value in fields if name.startswith(":")}
    rest = [(name, value) for name, value in fields if not name.startswith(":")]
    with Frames(gateway.address) as client:
        client.headers(1, [*pseudo.items(), *rest], end_stream=False)
        client.frame(DATA, END_STREAM, 1, BODY)
        ending = client.read_ending(1)
    assert ending != "200", fields
    gateway.assert_unharmed()


# Answers that could be read in two ways

POISON = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
BAD_ANSWERS = {
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 9\r\n\r\nevil",
    "a length and chunks": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "no HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "noise": bytes(range(256)) * 4,
    "TLS": b"\x15\x03\x01\x00\x02\x02\x16",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 4\n\nevil",
    "a length with a sign": b"HTTP/1.1 200 OK\r\ncontent-length: +4\r\n\r\nevil",
    "a length beyond 64 bits": b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551620\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 4\r\n\r\nevil",
    "a space before the colon": b"HTTP/1.1 200 OK\r\ncontent-length : 4\r\n\r\nevil",
    "a nul in a field": b"HTTP/1.1 200 OK\r\nx-a: \0\r\ncontent-length: 4\r\n\r\nevil",
    "an unknown coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nevil",
    "a status of two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 4\r\n\r\nevil",
    "a status beyond 999": b"HTTP/1.1 2000 OK\r\ncontent-length: 4\r\n\r\nevil",
    "a chunk size that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "a chunk longer than it says": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nevil\r\n0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"b" * 300_000,
    "an upgrade nobody asked for": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\n"
    b"upgrade: x\r\n\r\n",
    "a version of the future": b"HTTP/2.0 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\nhalf",
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_malformed_answer_is_an_error_and_spoils_no_other(passing, bad):
    def answer(node, peer, head):
        peer.read_body(head)
        if b"/bad" not in head:
            peer.send(GOOD)
            return None
        peer.send(bad if bad.endswith(b"half") else bad + POISON)
        time.sleep(0.1)
        return False

    with raw_node(answer) as node:
        gateway = passing(node, retries={"attempts_max": 1})
        with contextlib.closing(RestClient(gateway.address)) as client:
            assert client.post(STREAM, BODY).content == b"good"
            response = client.post("/v1/models/bad:predict", BODY)
            assert response.status_code in (502, 503), response.content
            assert "error" in response.json()
            assert b"poison" not in response.content
            for _ in range(3):
                assert client.post(STREAM, BODY).content == b"good"
        assert gateway.rest.post(PREDICT, BODY).content == b"good"


def test_second_answer_that_nobody_asked_for_is_given_to_nobody(passing):
    def answer(node, peer, head):
        peer.read_body(head)
        peer.send(GOOD + POISON if node.count % 2 else GOOD)

    with raw_node(answer) as node:
        gateway = passing(node)
        for _ in range(10):
            assert gateway.rest.post(PREDICT, BODY).content == b"good"


def test_answer_that_comes_late_is_given_to_nobody(passing):
    late = threading.Event()

    def answer(node, peer, head):
        peer.read_body(head)
        if b"/late" in head:
            late.wait(100)
            peer.send(POISON)
        else:
            peer.send(GOOD)

    with raw_node(answer) as node:
        gateway = passing(
            node, timeouts={"total_seconds": 0.3}, headers={"request": {"add": {"x-a": "b"}}}
        )
        assert gateway.rest.post("/late", BODY).status_code == 504
        late.set()
        for _ in range(5):
            assert gateway.rest.post(PREDICT, BODY).content == b"good"


# Floods over HTTP/2


@pytest.mark.parametrize("kind", FLOODS)
def test_floods_end_their_connection_and_nobody_else_notices(martlet, node, kind):
    gateway = follow(martlet, {"pools": [pool("main", node)]})
    gateway.assert_unharmed()
    before = gateway.resident_bytes()
    stopping, failures, answered = threading.Event(), [], [0]

    def others():
        while not stopping.is_set():
            try:
                gateway.assert_unharmed()
                answered[0] += 1
            except Exception as failure:
                failures.append(failure)

    thread = threading.Thread(target=others, daemon=True)
    thread.start()
    try:
        await_until(lambda: answered[0] > 2, "others to be answered")
        with Frames(gateway.address) as client:
            code = client.flood(kind(client))
        count = answered[0]
        await_until(lambda: answered[0] > count + 2, "others to be answered")
    finally:
        stopping.set()
        thread.join(120)
    assert failures == []
    assert code == ENHANCE_YOUR_CALM, "the flood was borne, or ended for something else"
    assert gateway.admin.metrics().total("martlet_http2_floods_total") == 1
    assert gateway.resident_bytes() - before < 64 * MIB
    gateway.assert_unharmed()


def test_what_is_no_flood_is_borne(martlet, node):
    gateway = follow(martlet, {"pools": [pool("main", node)]})
    with Frames(gateway.address) as client:
        for _ in range(50):
            client.frame(PING, 0, 0, b"12345678")
        for number in range(20):
            stream = 2 * number + 1
            client.headers(stream, client.request(), end_stream=False)
            client.frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        client.headers(101, client.request(), end_stream=False)
        client.frame(DATA, END_STREAM, 101, BODY)
        assert client.read_ending(101) == "200"
    assert json.loads(node.rest.predict("half_plus_two", BODY).text) == {"predictions": [2.5]}
