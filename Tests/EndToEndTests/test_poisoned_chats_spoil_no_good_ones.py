"""Five hundred poisoned requests among ten thousand good ones to a language model, or a tenth of
both: each good text is, byte for byte, what it is without them, each poisoned one is refused, and
the process stays."""

import concurrent.futures
import itertools
import json

import pytest
import requests
from harness import language_models
from harness.clients import RestClient
from harness.language_models import CONTEXT_TOKENS, NAME
from harness.openai_clients import user
from harness.scale import scaled

GOOD_REQUESTS = scaled(10_000, 1_000)
POISONED_REQUESTS = scaled(500, 50)
THREADS = 16

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"

# What they go on with is likely by far: it does not hang on who is computed along with whom.
GOOD = [
    (COMPLETIONS, {"prompt": "Count: 1, 2, 3, 4,", "max_tokens": 2}),
    (CHAT, {"messages": [user("What is the capital of France?")], "max_tokens": 2}),
    (COMPLETIONS, {"prompt": "Monday, Tuesday, Wednesday,", "max_tokens": 2}),
]
HELLO = {"model": NAME, "messages": [user("Hello")], "max_tokens": 1}
DEEP = {"type": "integer"}
for _ in range(200):
    DEEP = {"type": "array", "items": DEEP}

POISON = {
    "nothing": (CHAT, b""),
    "cut off": (CHAT, json.dumps(HELLO).encode()[:-5]),
    "no UTF-8": (CHAT, b'{"model": "smollm2", "messages": "\xff\xfe"}'),
    "a hundred thousand brackets": (CHAT, b"[" * 100_000),
    "no choices": (CHAT, {**HELLO, "n": 0}),
    "a million choices": (CHAT, {**HELLO, "n": 1_000_000}),
    "no number": (CHAT, {**HELLO, "temperature": "hot"}),
    "a bias of a word": (CHAT, {**HELLO, "logit_bias": {"bird": 1}}),
    "a thousand stops": (CHAT, {**HELLO, "stop": ["x"] * 1000}),
    "ten thousand messages": (CHAT, {**HELLO, "messages": [user("x")] * 10_000}),
    "another model": (CHAT, {**HELLO, "model": "bird"}),
    "a deep schema": (
        CHAT,
        {
            **HELLO,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": DEEP},
            },
        },
    ),
    "a prompt beyond the context": (
        COMPLETIONS,
        {"model": NAME, "prompt": "bird " * 2 * CONTEXT_TOKENS},
    ),
    "a token that there is not": (COMPLETIONS, {"model": NAME, "prompt": [1 << 30]}),
    "a negative token": (COMPLETIONS, {"model": NAME, "prompt": [-1]}),
}


def ask(rest, path, body):
    """The status and the texts of an answer, with what it counts."""
    answer = rest.post(path, {"model": NAME, "temperature": 0, **body}, timeout=60)
    if answer.status_code != 200:
        return answer.status_code, answer.text
    return answer.status_code, json.dumps(answer.json()["choices"])


def send(address, name):
    """The status of a poisoned request; one that is cut off has a connection of its own."""
    path, body = POISON[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        return requests.post(f"http://{address}{path}", data=data, timeout=60).status_code
    except requests.ConnectionError:
        return "closed"


def share(address, poison, count):
    """Sends good requests and, among them, poisoned ones."""
    rest = RestClient(address)
    answers, refusals = set(), []
    every = max(1, count // max(1, len(poison)))
    waiting = iter(poison)
    for number in range(count):
        kind = number % len(GOOD)
        answers.add((kind, *ask(rest, *GOOD[kind])))
        if number % every == 0 and (name := next(waiting, None)) is not None:
            refusals.append((name, send(address, name)))
    rest.close()
    return answers, refusals


@pytest.mark.deadline(420)
def test_good_texts_are_the_same_among_poison(martlet):
    node = language_models.serve(martlet)
    pid = node.pid
    expected, _ = share(node.address, [], len(GOOD))
    assert {status for _, status, _ in expected} == {200}, expected
    poison = list(itertools.islice(itertools.cycle(POISON), POISONED_REQUESTS))
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        shares = [
            pool.submit(share, node.address, poison[number::THREADS], GOOD_REQUESTS // THREADS)
            for number in range(THREADS)
        ]
        results = [each.result() for each in shares]
    answers = set().union(*(answers for answers, _ in results))
    assert answers == expected
    refusals = [refusal for _, refused in results for refusal in refused]
    assert len(refusals) == POISONED_REQUESTS
    taken = {(name, code) for name, code in refusals if code != "closed" and not 400 <= code < 500}
    assert not taken
    assert node.pid == pid
    node.assert_running()
    language_models.await_idle(node)
