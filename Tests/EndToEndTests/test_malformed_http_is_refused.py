"""What two parsers could read in two ways is answered 400 once, and the connection ends."""

import contextlib
import itertools
import json

import pytest
from harness.http1 import RawConnection
from harness.malformed import HOST, LENGTH, MALFORMED, SMUGGLED, request
from harness.waiting import await_until


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_request_is_answered_400_and_the_connection_closed(node, data):
    with RawConnection(node.address) as connection:
        # A server that had read the length in the other way would answer this one too.
        connection.send(data + SMUGGLED)
        received = connection.read_until_closed()
    assert received.startswith(b"HTTP/1.1 400"), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    node.assert_unharmed()


@pytest.mark.parametrize("coding", [b"xchunked", b"chunked, identity", b"gzip"])
def test_unknown_transfer_coding_is_refused_and_the_connection_closed(node, coding):
    with RawConnection(node.address) as connection:
        connection.send(request(HOST, b"Transfer-Encoding: " + coding) + SMUGGLED)
        received = connection.read_until_closed()
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    node.assert_unharmed()


def test_headers_without_end_are_refused(node):
    with RawConnection(node.address) as connection:
        line = b"X-Bird: " + b"swift" * 1000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            connection.send(b"GET / HTTP/1.1\r\nHost: martlet.test\r\n")
            for _ in range(200):
                connection.send(line)
        received = connection.read_until_closed()
    # The answer may be lost when the connection is reset with our bytes still unread.
    assert received == b"" or received.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), received
    node.assert_unharmed()


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        bytes(range(256)) * 8,
    ],
    ids=["nuls", "TLS", "HTTP/2 of nonsense", "half a preface", "every byte"],
)
def test_bytes_of_no_protocol_end_the_connection(node, data):
    with RawConnection(node.address) as connection:
        with contextlib.suppress(ConnectionError):
            connection.send(data)
        connection.read_until_closed()
    node.assert_unharmed()


def test_sender_of_slow_headers_is_cut_off(strict_node):
    with RawConnection(strict_node.address) as slow:
        drops = itertools.cycle(b"X-Bird: swift\r\n")
        slow.send(b"GET / HTTP/1.1\r\n")
        slow.socket.setblocking(False)

        def cut():
            try:
                slow.socket.send(bytes([next(drops)]))
                slow.socket.recv(4096)
                return True
            except BlockingIOError:
                return False
            except ConnectionError:
                return True

        await_until(cut, "the slow sender to be cut off", seconds=15, interval=0.1)
    strict_node.assert_unharmed()


def test_slow_headers_do_not_hold_up_neighbours(strict_node):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(RawConnection(strict_node.address)).send(b"GET / HT")
        with RawConnection(strict_node.address) as quick:
            quick.send(request(HOST, LENGTH))
            assert json.loads(quick.read_response().body) == {"predictions": [2.5]}
