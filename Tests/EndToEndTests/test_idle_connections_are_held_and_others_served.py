"""Idle connections cost little memory, and new clients are served all the while."""

import contextlib
import http.client
import resource
import socket

import pytest
from harness.policies import counting_node, follow, pool
from harness.waiting import await_until

CONNECTIONS = 10_000

# What the test and the node open besides.
OTHER_FILES = 500

BYTES_EACH_MAX = 16 * 1024

BODY = {"instances": [1.0]}


@pytest.fixture
def many_files():
    """The limit of open files raised as far as it goes, as the node does by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + OTHER_FILES:
        pytest.skip(f"this user may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_ten_thousand_idle_connections_are_held_and_new_ones_served(martlet):
    node = martlet.serve(
        ("half_plus_two",), *("--idle-timeout-seconds", 600), *("--header-timeout-seconds", 600)
    )
    host, port = node.address.rsplit(":", 1)
    assert node.rest.predict("half_plus_two", BODY).json() == {"predictions": [2.5]}
    before = node.resident_bytes()

    with contextlib.ExitStack() as connections:
        idle = [
            connections.enter_context(socket.create_connection((host, int(port)), timeout=60))
            for _ in range(CONNECTIONS)
        ]
        # Connections are accepted in order: the last is served when all are held.
        last = idle[-1]
        last.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: martlet.test\r\n\r\n")
        assert last.recv(1024).startswith(b"HTTP/1.1 200")
        assert node.rest.predict("half_plus_two", BODY).json() == {"predictions": [2.5]}

        grown = node.resident_bytes() - before
        assert grown < CONNECTIONS * BYTES_EACH_MAX, f"{grown / CONNECTIONS:.0f} bytes each"

        first = idle[0]
        first.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: martlet.test\r\n\r\n")
        assert first.recv(1024).startswith(b"HTTP/1.1 200")

    def served():
        return node.rest.predict("half_plus_two", BODY).status_code == 200

    await_until(served, "the node to serve when all have gone")


def test_gateway_keeps_no_large_buffers_for_connections_that_sent_much(martlet):
    body = b"x" * 150_000
    count = 200
    with counting_node(body=b"{}") as node, contextlib.ExitStack() as connections:
        gateway = follow(martlet, {"pools": [pool("main", node)]})
        host, port = gateway.address.rsplit(":", 1)

        def connect():
            client = http.client.HTTPConnection(host, int(port), timeout=60)
            return connections.enter_context(contextlib.closing(client))

        def ask_thrice(client):
            for _ in range(3):
                client.request("POST", "/v1/models/m:predict", body)
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (200, b"{}")

        ask_thrice(connect())
        before = gateway.resident_bytes()
        for _ in range(count):
            ask_thrice(connect())
        grown = gateway.resident_bytes() - before
        # One buffer that is read into may have 64 KiB.
        assert grown < count * 32 * 1024, f"{grown / count:.0f} bytes each"
