"""Nodes that answer when a test says so, or never, and clients that wait for them meanwhile."""

import contextlib
import threading

from harness.clients import RestClient
from harness.faults import well_by_its_word
from harness.stand_ins import stand_in

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'


@contextlib.contextmanager
def held_node():
    """A node that answers when it is told, and counts what it holds."""
    release, held = threading.Event(), threading.Semaphore(0)

    def answer(handler, _):
        held.release()
        release.wait(100)
        handler.send(200, b"{}")

    with stand_in(answer, well_by_its_word()) as server:
        yield server, held, release
        release.set()


@contextlib.contextmanager
def hanging_node():
    """A node that answers no prediction; its `closed` counts the connections that were ended while
    they waited for an answer."""
    closed = threading.Semaphore(0)

    def answer(handler, _):
        await_close(handler)
        closed.release()

    with stand_in(answer, well_by_its_word()) as server:
        server.closed = closed
        yield server


def await_close(handler):
    """Awaits that the client ends the connection, on which it must send nothing more."""
    handler.close_connection = True
    with contextlib.suppress(ConnectionResetError):
        assert handler.connection.recv(1) == b"", "more was sent before the answer came"


def in_background(*calls):
    """Runs calls at once; the function that it returns awaits their results."""
    results = [None] * len(calls)

    def run(number, call):
        results[number] = call()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "a request never ended"
        return results

    return join


def one_post(gateway, path=PREDICT, body=BODY, **options):
    """Posts over a connection of its own."""
    with contextlib.closing(RestClient(gateway.address)) as client:
        return client.post(path, body, **options)
