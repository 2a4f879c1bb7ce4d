"""Machines that compute for a node, by llama.cpp's RPC."""

import socket
import threading

import openai
import pytest
from harness import language_models
from harness.language_models import NAME
from harness.openai_clients import complete, text_of
from harness.processes import MartletProcess
from harness.sockets import free_ports, listens
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(240)

PROMPT = "Count: one, two, three, four, five, six,"
SMALL = ("--kv-cache", "64MiB", "--max-sequences", 4)


def start(martlet, port):
    """An RPC server. With more threads than cores are free it crawls: they wait in a loop."""
    address = f"127.0.0.1:{port}"
    arguments = ["rpc-server", "--address", address, "--threads", 1]
    server = martlet.start(MartletProcess, "rpc", arguments)
    await_until(lambda: listens(port), "the RPC server to listen", 60)
    return server


@pytest.fixture
def machine(martlet):
    """An RPC server, and where it listens."""
    (port,) = free_ports(1)
    return start(martlet, port), f"127.0.0.1:{port}"


def serve(martlet, address, **options):
    flags = ("--rpc-device", address, "--gpu-layers", "all", "--llama-threads", 1)
    return language_models.serve(martlet, *SMALL, *flags, **options)


def test_text_is_the_same_on_another_machine(martlet, machine):
    server, address = machine
    alone = language_models.serve(martlet, *SMALL)
    divided = serve(martlet, address)
    texts = [text_of(complete(node.openai, PROMPT, max_tokens=16)) for node in (alone, divided)]
    assert texts[0] == texts[1] != ""
    # The weights are there.
    assert server.resident_bytes() > language_models.file().stat().st_size // 2
    divided.assert_running()


def test_node_whose_machine_is_lost_ends_and_says_why(martlet, machine):
    server, address = machine
    divided = serve(martlet, address, environment={"SWIFT_BACKTRACE": "enable=no"})
    assert text_of(complete(divided.openai, PROMPT, max_tokens=4))
    server.kill()
    divided.ended_on_purpose = True
    with pytest.raises(openai.APIConnectionError):
        complete(divided.openai, PROMPT + " What now?", max_tokens=4)
    await_until(lambda: not divided.running, "the node to end", 60)
    assert "llama.cpp ends the process: " in divided.log_since_mark()


def refused(martlet, address):
    """A node that is to use what listens at an address, and what it says of its model."""
    node = serve(martlet, address, ready="live")
    node.await_state(NAME, 1, "END", 60)
    assert node.rest.get("/healthz/ready").status_code == 503
    return node, node.rest.status(NAME)[1]["status"]["error_message"]


def test_machine_that_is_not_there_is_named_and_may_come(martlet):
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    node, told = refused(martlet, address)
    assert f"could not use '{address}': Connection refused" in told
    assert "martlet rpc-server" in told
    start(martlet, port)
    loaded = martlet.run("model", "load", NAME, "--address", node.address, seconds=60)
    assert loaded.returncode == 0, loaded.stderr
    node.await_state(NAME, 1, "AVAILABLE", 60)
    # Before the machine that it computes on.
    node.stop()


def test_something_else_is_told_apart(martlet):
    """A server that closes, one that says something else, and one that says nothing."""
    for answer, told in (
        (b"", "what answers is no RPC server of llama.cpp"),
        (b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", "is no RPC server of llama.cpp"),
        (None, "it does not answer within 5 s"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            over = threading.Event()

            def run(listener=listener, answer=answer, over=over):
                connection, _ = listener.accept()
                with connection:
                    if answer is None:
                        over.wait()
                        return
                    connection.recv(100)
                    connection.sendall(answer)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            port = listener.getsockname()[1]
            assert told in refused(martlet, f"127.0.0.1:{port}")[1]
            over.set()
            thread.join()


def test_address_must_be_this_machines(martlet):
    for address, code, told in (
        ("192.0.2.1:50052", 69, "could not listen at 192.0.2.1:50052"),
        ("127.0.0.1:0", 64, "name one"),
        ("nowhere", 64, "--address"),
    ):
        ended = martlet.run("rpc-server", "--address", address)
        assert (ended.returncode, told in ended.stderr) == (code, True), ended.stderr
