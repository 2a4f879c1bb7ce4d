"""Streams end once, as counted on the wire: by `[DONE]`, or by an error, and nothing follows."""

import json

import pytest
from harness import language_models, wires
from harness.language_models import NAME
from harness.openai_clients import STORY, user

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"


def chat(**options):
    whole = {"model": NAME, "messages": [user(STORY)], "stream": True, "max_tokens": 24}
    return json.dumps({**whole, "ignore_eos": True, **options}).encode()


def completion(prompt=STORY, **options):
    whole = {"model": NAME, "prompt": prompt, "stream": True, "max_tokens": 24}
    return json.dumps({**whole, "ignore_eos": True, **options}).encode()


def asked(node, path, body):
    """The events of a whole stream."""
    with wires.begin(node, path, body) as connection:
        status, content, is_whole = wires.read(connection)
    assert (status, is_whole) == (200, True), content
    return wires.frames(content)


def assert_done_once(events):
    assert wires.terminals(events) == ["[DONE]"]
    assert events[-1] == "[DONE]"


def assert_one_error(events, code):
    (error,) = wires.terminals(events)
    assert error["error"]["code"] == code, error
    assert events[-1] is error
    assert wires.reasons(events) == {}


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("usage", [False, True], ids=["plain", "usage"])
def test_at_the_limit_of_tokens_each_choice_ends_once(language_node, count, usage):
    options = {"n": count, "stream_options": {"include_usage": usage}}
    events = asked(language_node, CHAT, chat(**options))
    assert_done_once(events)
    assert wires.reasons(events) == dict.fromkeys(range(count), "length")
    told = [event for event in events[:-1] if event.get("usage")]
    assert len(told) == usage
    assert not usage or (events[-2] is told[0] and told[0]["choices"] == [])


@pytest.mark.parametrize(
    ("path", "body"), [(CHAT, chat), (COMPLETIONS, completion)], ids=["chat", "text"]
)
def test_at_a_stop_each_choice_ends_once(language_node, path, body):
    # No text of so many tokens is without one of them.
    events = asked(language_node, path, body(n=3, temperature=1, stop=["e", "a", "o", "t"]))
    assert_done_once(events)
    assert wires.reasons(events) == dict.fromkeys(range(3), "stop")


def test_prompts_of_one_request_end_once_each(language_node):
    prompts = ["One day", "The sea", "A bird"]
    events = asked(language_node, COMPLETIONS, completion(prompts, n=2))
    assert_done_once(events)
    assert wires.reasons(events) == dict.fromkeys(range(6), "length")


def test_tools_that_are_not_called_change_no_end(language_node):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    events = asked(language_node, CHAT, chat(n=2, tools=[tool]))
    assert_done_once(events)
    assert wires.reasons(events) == dict.fromkeys(range(2), "length")


@pytest.mark.deadline(60)
def test_at_a_deadline_a_stream_ends_by_one_error(martlet):
    # Long enough for a first token, and too short for all, on any machine.
    node = language_models.serve(martlet, "--rest-timeout-seconds", 5)
    assert_one_error(asked(node, CHAT, chat(n=8, max_tokens=1900)), "timeout")
    language_models.await_idle(node, 2)


@pytest.mark.deadline(60)
def test_at_an_unload_a_stream_that_has_begun_ends_once(martlet):
    node = language_models.serve(martlet)
    with wires.begin(node, CHAT, chat(n=2, max_tokens=60)) as connection:
        language_models.await_running(node, 2)
        connection.buffer += connection.socket.recv(100)
        ended = martlet.run("model", "unload", NAME, "--address", node.address)
        assert ended.returncode == 0, ended.stderr
        status, content, is_whole = wires.read(connection)
    assert (status, is_whole) == (200, True)
    # What has begun may finish.
    events = wires.frames(content)
    assert_done_once(events)
    assert wires.reasons(events) == dict.fromkeys(range(2), "length")


@pytest.mark.deadline(90)
def test_a_client_that_reads_too_slowly_is_never_told_that_it_has_all(martlet):
    node = language_models.serve(martlet, "--max-stream-buffer-bytes", 65536)
    # Megabytes, more than sockets take on their own.
    body = chat(n=16, max_tokens=1900, logprobs=True, top_logprobs=20)
    with wires.begin(node, CHAT, body) as connection:
        language_models.await_running(node, 16)
        language_models.await_idle(node, 60)
        status, content, is_whole = wires.read(connection)
    assert status == 200
    events = wires.frames(content)
    assert wires.reasons(events) == {}
    ends = wires.terminals(events)
    if is_whole:
        assert_one_error(events, "rate_limit_exceeded")
    else:
        assert ends == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_hangs_up_ends_its_sequences_soon(language_node, stream):
    for _ in range(3):
        with wires.begin(language_node, CHAT, chat(stream=stream, n=4, max_tokens=1900)):
            language_models.await_running(language_node, 4)
        language_models.await_idle(language_node, 2)
