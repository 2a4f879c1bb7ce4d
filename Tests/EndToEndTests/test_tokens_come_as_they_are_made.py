"""Streams of a language model: live, many at once, and ended well whoever ends them."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

import openai
import pytest
from harness import http1, language_models
from harness.clients import RestClient
from harness.language_models import NAME
from harness.openai_clients import STORY, chat, complete, events, streamed_text, user

CHAT = "/v1/chat/completions"


def body(**options):
    """A chat that goes on for as many tokens as it may."""
    whole = {"model": NAME, "messages": [user(STORY)], "temperature": 0, "max_tokens": 24}
    return json.dumps({**whole, "ignore_eos": True, **options}).encode()


def curl(node, *flags, **options):
    """The stock command, and the pieces in which what it wrote came."""
    command = shutil.which("curl")
    assert command, "curl is missing: scripts/setup.sh packages installs it"
    url = f"http://{node.address}{CHAT}"
    with subprocess.Popen(
        [command, "-sN", *flags, url, "-d", body(stream=True, **options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        pieces = []
        while piece := os.read(process.stdout.fileno(), 65536):
            pieces.append(piece)
        assert process.wait(100) == 0, process.stderr.read()
    return pieces


@pytest.mark.parametrize("flags", [(), ("--http2-prior-knowledge",)], ids=["http1", "http2"])
def test_curl_shows_events_as_they_come(language_node, flags):
    pieces = curl(language_node, *flags)
    assert len(pieces) >= 8, "the events came all at once"
    *chunks, last = events(b"".join(pieces))
    assert last == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "length"


def test_a_stream_is_of_events_that_nobody_keeps(language_node):
    answer = language_node.rest.post(CHAT, body(stream=True, max_tokens=2))
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert events(answer.content)[-1] == "[DONE]"


def test_a_stream_is_compressed_for_nobody(language_node):
    pieces = curl(language_node, "--compressed")
    assert len(pieces) >= 8
    assert events(b"".join(pieces))[-1] == "[DONE]"


# Clients that go.


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_goes_frees_its_sequence(language_node, stream):
    request = http1.post(CHAT, body(stream=stream, max_tokens=1900, n=2))
    with http1.RawConnection(language_node.address) as connection:
        connection.send(request)
        language_models.await_running(language_node, 2)
        if stream:
            assert connection.socket.recv(100)
    language_models.await_idle(language_node, 2)
    assert chat(language_node.openai, "Hello").choices[0].finish_reason


def test_a_client_closes_a_stream_of_the_stock_client(language_node):
    stream = complete(
        language_node.openai, STORY, stream=True, max_tokens=1900, extra_body={"ignore_eos": True}
    )
    assert next(iter(stream)).choices
    stream.close()
    language_models.await_idle(language_node, 2)


# Many clients.


@pytest.mark.deadline(60)
def test_many_streams_are_served_at_once(language_node):
    def ask(number):
        stream = complete(
            language_node.openai,
            f"{number}: {STORY}",
            max_tokens=16,
            stream=True,
            stream_options={"include_usage": True},
            timeout=200,
            extra_body={"ignore_eos": True},
        )
        *chunks, last = stream
        return chunks[-1].choices[0].finish_reason, last.usage.completion_tokens

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert set(pool.map(ask, range(64))) == {("length", 16)}


async def status_of(host, port, request):
    """The status line and the header fields of one answer, read to its end."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        answer = await reader.read()
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.lower(), content
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def statuses_of(address, request, count):
    host, port = address.rsplit(":", 1)
    asked = [status_of(host, int(port), request) for _ in range(count)]
    return await asyncio.gather(*asked)


@pytest.mark.deadline(90)
def test_a_thousand_clients_are_answered_or_asked_to_wait(martlet):
    node = language_models.serve(
        martlet, "--max-waiting-sequences", 8, "--max-sequences", 4, "--queue-capacity", 2000
    )
    request = http1.post(CHAT, body(max_tokens=4), "Connection: close")
    answers = asyncio.run(statuses_of(node.address, request, 1000))
    assert len(answers) == 1000
    codes = {status for status, _, _ in answers}
    assert codes == {200, 429}, codes
    for status, head, content in answers:
        if status == 429:
            assert b"\r\nretry-after: " in head
            assert json.loads(content)["error"]["code"] == "rate_limit_exceeded"
        else:
            assert json.loads(content)["usage"]["completion_tokens"] == 4
    language_models.await_idle(node)
    # What the queue could never hold is not asked to come back.
    with pytest.raises(openai.BadRequestError, match="queue holds 8") as refusal:
        chat(node.openai, "Hello", n=20)
    assert refusal.value.param == "n"
    assert "Retry-After" not in refusal.value.response.headers
    language_models.await_idle(node)
    assert chat(node.openai, "Hello").choices[0].finish_reason


# Nodes that go.


def begin(pool, node, tokens):
    """Reads a stream in another thread, from its first token on."""
    stream = complete(
        node.openai,
        STORY,
        stream=True,
        max_tokens=tokens,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    pieces = iter(stream)
    assert next(pieces).choices
    return pool.submit(list, pieces)


@pytest.fixture
def own_node(martlet):
    """A node that the test may end."""
    return language_models.serve(martlet, "--max-sequences", 4, "--kv-cache", "64MiB")


@pytest.mark.deadline(60)
def test_a_drain_lets_streams_finish(own_node):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        streams = [begin(pool, own_node, 40) for _ in range(2)]
        own_node.send(signal.SIGTERM)
        http1.await_refusal(own_node.address)
        for stream in streams:
            *chunks, last = stream.result(100)
            assert chunks[-1].choices[0].finish_reason == "length"
            assert last.usage.completion_tokens == 40
    assert own_node.wait() == 0


@pytest.mark.deadline(60)
def test_an_unload_ends_streams_whole_or_by_an_error(martlet, own_node):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stream = begin(pool, own_node, 120)
        ended = martlet.run("model", "unload", NAME, "--address", own_node.address)
        assert ended.returncode == 0, ended.stderr
        # Whichever came first: the end of the text, or that of the model.
        error = stream.exception(100)
        if error is None:
            assert stream.result()[-1].usage.completion_tokens == 120
        else:
            assert isinstance(error, openai.APIError)
            assert "unload" in error.message
    own_node.assert_running()
    with pytest.raises(openai.NotFoundError):
        chat(own_node.openai, "Hello")
    loaded = martlet.run(
        *("model", "load", NAME, "--path", language_models.FOLDER),
        *("--address", own_node.address),
    )
    assert loaded.returncode == 0, loaded.stderr
    assert streamed_text(chat(own_node.openai, "Hello", stream=True))


def test_a_client_that_reads_nothing_holds_up_nobody(own_node):
    with contextlib.closing(RestClient(own_node.address)) as other:
        connection = http1.RawConnection(own_node.address)
        with connection:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.send(http1.post(CHAT, body(stream=True, max_tokens=1500, n=3)))
            language_models.await_running(own_node, 3)
            assert other.post(CHAT, body(max_tokens=4)).status_code == 200
        language_models.await_idle(own_node)
