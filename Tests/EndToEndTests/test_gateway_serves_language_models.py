"""Language models behind a gateway: quotas of tokens, cached answers, errors, and failing nodes.

What stands in for nodes answers as OpenAI's API says; the last tests ask real nodes.
"""

import contextlib
import hashlib
import json
import threading
import time

import pytest
from harness.clients import RestClient
from harness.faults import well_by_its_word
from harness.paths import REPOSITORY
from harness.policies import follow, pool
from harness.prometheus import Samples
from harness.stand_ins import stand_in
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

CHAT = "/v1/chat/completions"
ALICE = "mk_alice-3Jq9rXoHnB7vS1kYwLz5"
MESSAGES = [{"role": "user", "content": "Say hello."}]
USAGE = {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}

LIBRARIES = REPOSITORY / ".engines" / "llama"
MODEL = REPOSITORY / ".models" / "smollm2-135m"
needs_a_model = pytest.mark.skipif(
    not (LIBRARIES.is_dir() and MODEL.is_dir()), reason="needs llama.cpp and SmolLM2"
)


def language_model(handler, asked):
    """Answers a chat as a node does: three tokens, and a usage of sixty."""
    body = json.loads(asked)
    whole = {"id": len(handler.server.requests), "model": body["model"], "usage": USAGE}
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": '"usage":{} }'}}
        answer = json.dumps({**whole, "choices": [choice]}).encode()
        handler.send(200, answer, **{"content-type": "application/json"})
        return
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    chunk = {"model": body["model"], "choices": [{"index": 0, "delta": {"content": "x"}}]}
    events = [chunk] * 3
    if body.get("stream_options", {}).get("include_usage"):
        events.append({"model": body["model"], "choices": [], "usage": USAGE})
    for event in events:
        data = f"data: {json.dumps(event)}\n\n".encode()
        # In pieces that are no lines.
        handler.send_chunk(data[:25])
        handler.send_chunk(data[25:])
    handler.send_chunk(b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def serving(*models):
    """The pages of a node that is well and has these models."""
    version = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    listing = [{"name": name, "model_version_status": [version]} for name in models]
    return {**well_by_its_word(), "/v1/models": json.dumps({"models": listing}).encode()}


@pytest.fixture
def origin():
    with stand_in(language_model, serving("m")) as server:
        yield server


@pytest.fixture
def guarded(martlet, tmp_path):
    """Makes a gateway with one key of these quotas and this scope."""

    def make(node, quotas, scope=None, **policy):
        file = tmp_path / "credentials.yaml"
        digest = hashlib.sha256(ALICE.encode()).hexdigest()
        key = {"id": "alice", "sha256": digest, "tenant": "team-a", "quotas": quotas}
        if scope:
            key["scope"] = scope
        file.write_text(json.dumps({"keys": [key]}), encoding="utf-8")
        access = {"api_keys_file": str(file)}
        return follow(martlet, {"access": access, "pools": [pool("main", node)], **policy})

    return make


def chat(client, path=CHAT, key=ALICE, **members):
    body = {"model": "m", "messages": MESSAGES, **members}
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"}
    return client.post(path, json.dumps(body), headers=headers)


def spent(gateway, kind, **labels):
    text = gateway.admin.get("/metrics").text
    return Samples(text).total("martlet_gateway_tokens_total", kind=kind, **labels)


def assert_spent(gateway, kind, count, **labels):
    # An answer is charged behind its end.
    await_until(lambda: spent(gateway, kind, **labels) == count, f"{count} tokens of {kind}", 10)


def assert_openai_error(answer, status, kind, code):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == (kind, None, code)
    return error["message"]


# Quotas of tokens


def test_a_key_spends_its_tokens_and_is_told_when_there_are_more(guarded, origin):
    gateway = guarded(origin, {"tokens_per_minute": 110})
    for _ in range(2):
        answer = chat(gateway.rest)
        assert answer.status_code == 200
        assert answer.json()["usage"] == USAGE
    refused = chat(gateway.rest)
    message = assert_openai_error(refused, 429, "rate_limit_error", "rate_limit_exceeded")
    assert message == "The quota 'tokens_per_minute' is used up"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    # Ten are owed, and nearly two come in a second.
    await_until(lambda: chat(gateway.rest).status_code == 200, "a token to come", 30)
    assert_spent(gateway, "input", 120, tenant="team-a", model="m")
    assert_spent(gateway, "output", 60, tenant="team-a", model="m")
    # What is read as it passes must come as it can be read.
    names = {name.lower() for _, fields, _ in origin.requests for name in fields}
    assert "accept-encoding" not in names


def test_streams_are_charged_by_their_usage_or_else_by_their_events(guarded, origin):
    gateway = guarded(origin, {"output_tokens_per_minute": 21})
    told = chat(gateway.rest, stream=True, stream_options={"include_usage": True})
    assert told.text.endswith("data: [DONE]\n\n")
    assert_spent(gateway, "output", 20)
    untold = chat(gateway.rest, stream=True)
    assert untold.text.count("data: {") == 3
    assert_spent(gateway, "output", 23)
    assert chat(gateway.rest, stream=True).status_code == 429


def test_models_have_quotas_of_tokens_of_their_own(guarded, origin):
    gateway = guarded(origin, {"models": {"small*": {"tokens_per_day": 60}}})
    assert chat(gateway.rest, model="small-1").status_code == 200
    refused = chat(gateway.rest, model="small-1")
    assert "tokens_per_day" in assert_openai_error(
        refused, 429, "rate_limit_error", "rate_limit_exceeded"
    )
    assert int(refused.headers["Retry-After"]) > 1000
    assert chat(gateway.rest, model="small-2").status_code == 200
    assert chat(gateway.rest, model="large").status_code == 200


@pytest.mark.parametrize("kind", ["input", "output"])
def test_tokens_of_prompts_and_answers_have_quotas_of_a_day(guarded, origin, kind):
    limit = 2 * USAGE["prompt_tokens" if kind == "input" else "completion_tokens"]
    gateway = guarded(origin, {"models": {"m": {f"{kind}_tokens_per_day": limit}}})
    for spending in (1, 2):
        assert chat(gateway.rest).status_code == 200
        assert_spent(gateway, kind, spending * limit // 2)
    refused = chat(gateway.rest)
    message = assert_openai_error(refused, 429, "rate_limit_error", "rate_limit_exceeded")
    assert message == f"The quota '{kind}_tokens_per_day' is used up"
    assert int(refused.headers["Retry-After"]) > 100
    assert chat(gateway.rest, model="other").status_code == 200


def test_versions_and_labels_take_the_route_of_their_model(martlet, origin):
    answering = {"response": {"set": {"x-route": "small"}}}
    routes = [
        {"name": "small", "pool": "main", "match": {"models": ["small"]}, "headers": answering},
        {"name": "rest", "pool": "main"},
    ]
    gateway = follow(martlet, {"pools": [pool("main", origin)], "routes": routes})
    for model in ("small", "small:1", "small:stable", "small:1:poet"):
        answer = chat(gateway.rest, model=model)
        assert (answer.status_code, answer.headers.get("x-route")) == (200, "small"), model
    for model in ("m", "smaller:1"):
        answer = chat(gateway.rest, model=model)
        assert (answer.status_code, answer.headers.get("x-route")) == (200, None), model


def test_answers_are_limited_in_length(guarded, origin):
    route = {"name": "r", "pool": "main", "limits": {"output_tokens_per_request": 40}}
    small = {"small": {"output_tokens_per_request": 9}}
    quotas = {"output_tokens_per_request": 50, "models": small}
    gateway = guarded(origin, quotas, routes=[route])
    for model, name, value, limit in (
        ("m", "max_tokens", 41, 40),
        ("m", "max_completion_tokens", 41, 40),
        ("small:1", "max_tokens", 10, 9),
    ):
        refused = chat(gateway.rest, model=model, **{name: value})
        message = assert_openai_error(refused, 400, "invalid_request_error", None)
        assert message.startswith(f"'{name}' is {value}; give a number up to {limit},")
    assert not [body for path, _, body in origin.requests if path == CHAT]
    assert chat(gateway.rest, max_tokens=40).status_code == 200
    assert chat(gateway.rest).status_code == 200
    assert chat(gateway.rest, stream=True, max_tokens=None).status_code == 200
    asked = [json.loads(body) for path, _, body in origin.requests if path == CHAT]
    assert [body["max_tokens"] for body in asked] == [40, 40, 40]
    assert all(body["messages"] == MESSAGES for body in asked)


def test_tokens_are_counted_without_keys_too(martlet, origin):
    gateway = martlet.gateway([origin])
    assert chat(gateway.rest).status_code == 200
    assert_spent(gateway, "input", 40, tenant="anonymous", model="m")


# What keys open

EXTENSIONS = ("/v1/rerank", "/v2/rerank", "/rerank", "/tokenize", "/detokenize")


@pytest.mark.parametrize("path", EXTENSIONS)
def test_who_may_chat_may_rerank_and_tokenize(guarded, origin, path):
    gateway = guarded(origin, {}, {"verbs": ["chat"], "models": ["m"]})
    assert chat(gateway.rest, path).status_code == 200
    other = chat(gateway.rest, path, model="other")
    assert "'other'" in assert_openai_error(other, 403, "permission_error", "permission_denied")
    # A node would choose the only model that it has, whichever that is.
    unnamed = chat(gateway.rest, path, model=None)
    assert "name one" in assert_openai_error(unnamed, 403, "permission_error", "permission_denied")


@pytest.mark.parametrize("path", EXTENSIONS)
def test_who_may_not_chat_may_not_tokenize(guarded, origin, path):
    gateway = guarded(origin, {}, {"verbs": ["predict", "status"]})
    refused = chat(gateway.rest, path)
    assert "'chat'" in assert_openai_error(refused, 403, "permission_error", "permission_denied")
    assert not origin.requests


# The cache


def test_deterministic_chats_are_answered_from_the_cache(martlet, origin):
    policy = {
        "pools": [pool("main", origin)],
        "routes": [{"name": "r", "cache": True}],
        "cache": {"ttl_seconds_min": 600, "ttl_seconds_max": 600},
    }
    gateway = follow(martlet, policy)
    first = chat(gateway.rest, temperature=0)
    assert "x-martlet-cache" not in first.headers
    again = chat(gateway.rest, temperature=0)
    assert again.headers["x-martlet-cache"] == "hit"
    assert again.json() == first.json()
    # What costs no node anything costs no tokens.
    assert_spent(gateway, "input", 40)
    for members in ({}, {"temperature": 0.5}, {"temperature": 0, "n": 2}):
        for _ in range(2):
            assert "x-martlet-cache" not in chat(gateway.rest, **members).headers
    for _ in range(2):
        stream = chat(gateway.rest, temperature=0, stream=True)
        assert "x-martlet-cache" not in stream.headers
        assert stream.text.endswith("data: [DONE]\n\n")


# Errors


def test_errors_of_the_gateway_are_those_of_the_api(guarded, origin):
    route = {"name": "r", "match": {"models": ["m"]}, "pool": "main", "limits": {"body_bytes": 500}}
    gateway = guarded(origin, {}, routes=[route])
    assert_openai_error(
        chat(gateway.rest, key="mk_wrong"), 401, "authentication_error", "invalid_api_key"
    )
    missing = chat(gateway.rest, model="none")
    assert "No route" in assert_openai_error(missing, 404, "invalid_request_error", "not_found")
    long = chat(gateway.rest, padding="x" * 600)
    assert_openai_error(long, 413, "invalid_request_error", "request_too_large")
    origin.die()
    await_until(lambda: chat(gateway.rest).status_code == 503, "the node to be missed")
    assert_openai_error(chat(gateway.rest), 503, "server_error", "service_unavailable")
    # Other paths keep the form of nodes.
    other = gateway.rest.post("/v1/models/m:predict", "{}")
    assert isinstance(other.json()["error"], str)


# Failing nodes


def full(handler, asked):
    handler.send(429, b'{"error": {"message": "full"}}', **{"content-type": "application/json"})


def dying(handler, asked):
    """Closes the connection without an answer, as a process that dies."""
    handler.close_connection = True


@pytest.mark.parametrize("failing", [full, dying])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_goes_to_another_node_until_its_answer_begins(martlet, origin, failing, stream):
    with stand_in(failing, serving("m")) as other:
        gateway = follow(martlet, {"pools": [pool("main", other, origin)]})
        for _ in range(6):
            answer = chat(gateway.rest, stream=stream)
            assert answer.status_code == 200, answer.text
    assert other.requests


def test_a_stream_that_breaks_off_is_not_begun_anew(martlet):
    def broken(handler, asked):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        handler.send_chunk(b'data: {"choices": []}\n\n')
        handler.close_connection = True

    with (
        stand_in(broken, well_by_its_word()) as one,
        stand_in(broken, well_by_its_word()) as other,
    ):
        gateway = follow(martlet, {"pools": [pool("main", one, other)]})
        answer = chat(gateway.rest, stream=True)
        # It came to a proper end, whose last event says that it is none of the model's.
        told, last, rest = answer.text.split("\n\n")
        assert (told, rest) == ('data: {"choices": []}', "")
        error = json.loads(last.removeprefix("data: "))["error"]
        assert (error["type"], error["code"]) == ("server_error", "service_unavailable")
        assert "broke off its answer" in error["message"]
        assert len(one.requests) + len(other.requests) == 1


def test_a_stream_that_breaks_off_within_an_event_is_broken_off(martlet):
    def broken(handler, asked):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        handler.send_chunk(b'data: {"choices": []}\n\ndata: {"cho')
        handler.close_connection = True

    with stand_in(broken, well_by_its_word()) as origin:
        gateway = follow(martlet, {"pools": [pool("main", origin)]})
        with pytest.raises(Exception, match=r"(?i)incomplete|ended|closed|broken|reset|chunk"):
            chat(gateway.rest, stream=True)


# Real nodes


def serve(martlet):
    environment = {"MARTLET_LLAMA_PATH": str(LIBRARIES)}
    return martlet.serve({"smollm2": MODEL}, environment=environment)


@needs_a_model
def test_a_node_is_charged_by_what_it_says(martlet, guarded):
    node = serve(martlet)
    gateway = guarded(
        node, {"tokens_per_minute": 100_000}, routes=[{"name": "r", "cache": True, "pool": "main"}]
    )
    asked = {"model": "smollm2", "max_tokens": 8, "temperature": 0}
    answer = chat(gateway.rest, **asked)
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    assert_spent(gateway, "input", usage["prompt_tokens"], model="smollm2")
    assert_spent(gateway, "output", usage["completion_tokens"], model="smollm2")
    assert chat(gateway.rest, **asked).headers["x-martlet-cache"] == "hit"
    options = {"include_usage": True}
    told = chat(gateway.rest, **asked, stream=True, stream_options=options)
    assert '"usage":{' in told.text
    assert_spent(gateway, "output", 2 * usage["completion_tokens"])


@needs_a_model
def test_no_chat_is_lost_when_a_node_is_killed(martlet):
    nodes = [serve(martlet) for _ in range(2)]
    gateway = follow(martlet, {"pools": [pool("main", *nodes)]})
    results = []

    def press():
        with contextlib.closing(RestClient(gateway.address)) as client:
            end = time.monotonic() + 6
            while time.monotonic() < end:
                answer = chat(client, model="smollm2", max_tokens=4)
                results.append(answer.status_code)

    threads = [threading.Thread(target=press, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    nodes[0].kill()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a chat never ended"
    assert results
    assert set(results) == {200}
