"""Language models that are full or slow behind a gateway: what is asked and told instead."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import threading
import time

import openai
import pytest
from harness import http1, language_models
from harness.faults import well_by_its_word
from harness.openai_clients import STORY, chat, client_of, events, streamed_text, user
from harness.policies import follow, pool
from harness.stand_ins import stand_in, tokens
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

CHAT = "/v1/chat/completions"
FIELD = "x-martlet-fallback-model"
KEY = "mk_alice-3Jq9rXoHnB7vS1kYwLz5"
USAGE = {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}

# Longer than any test waits for what stalls.
FOREVER = 60


def answering(handler, asked):
    """Answers at once, and says which model was asked; tells that it is full while it is."""
    body = json.loads(asked)
    if getattr(handler.server, "is_full", False):
        error = {"message": "full", "type": "rate_limit_error", "param": None, "code": None}
        content = json.dumps({"error": error}).encode()
        handler.send(429, content, **{"content-type": "application/json", "retry-after": "1"})
        return
    if body.get("stream"):
        tokens(3)(handler, asked)
        return
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}}
    answer = {"model": body["model"], "choices": [choice], "usage": USAGE}
    handler.send(200, json.dumps(answer).encode(), **{"content-type": "application/json"})


@contextlib.contextmanager
def standing_in(answer=answering, is_full=False):
    # The gateway keeps answers only of models that some node lists.
    with stand_in(answer, well_by_its_word("large", "medium", "small")) as server:
        server.is_full = is_full
        yield server


@pytest.fixture
def full():
    with standing_in(is_full=True) as server:
        yield server


@pytest.fixture
def spare():
    with standing_in() as server:
        yield server


def route(*fallbacks, **more):
    return {"name": "r", "pool": "main", "fallbacks": list(fallbacks), **more}


def ask(gateway, headers=None, path=CHAT, **members):
    body = {"model": "large", "messages": [user("Say hello.")], **members}
    return gateway.rest.post(path, body, headers=headers or {})


def fallbacks(gateway, **labels):
    """How often something else was asked, by why."""
    metrics = gateway.admin.metrics()
    return metrics.by("martlet_gateway_fallbacks_total", "reason", **labels)


# Fallback, where stand-ins say that they are full.


def test_another_model_answers_when_no_node_has_room(martlet, full, spare):
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "small", "pool": "spare"})],
    }
    gateway = follow(martlet, policy)
    answer = ask(gateway, metadata={"model": "large"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["model"], answer.headers[FIELD]) == ("small", "small")
    # Nothing else of the request has changed.
    body = json.loads(spare.requests[0][2])
    assert body["metadata"] == {"model": "large"}
    stream = ask(gateway, stream=True)
    assert stream.headers[FIELD] == "small"
    assert events(stream.content)[-1] == "[DONE]"
    assert fallbacks(gateway, model="large", fallback="small") == {"refused": 2}
    # Whoever wants the model itself, or an error, says so.
    refused = ask(gateway, {"x-martlet-fallback": "none"})
    assert refused.status_code == 429
    assert FIELD not in refused.headers
    full.is_full = False
    # It gets only what no other takes for half a second, and there is no other in its pool.
    own = ask(gateway)
    assert own.json()["model"] == "large"
    assert FIELD not in own.headers
    assert fallbacks(gateway) == {"refused": 2}


def test_models_are_asked_one_after_the_other(martlet, full, spare):
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "medium"}, {"model": "small", "pool": "spare"})],
    }
    gateway = follow(martlet, policy)
    answer = ask(gateway)
    assert (answer.json()["model"], answer.headers[FIELD]) == ("small", "small")
    asked = {json.loads(body)["model"] for _, _, body in full.requests}
    assert asked == {"large", "medium"}
    spare.is_full = True
    last = ask(gateway)
    assert last.status_code == 429
    assert last.headers["Retry-After"] == "1"


def test_another_pool_answers_when_no_node_is_left(martlet, spare):
    with standing_in() as only:
        policy = {
            "pools": [pool("main", only), pool("spare", spare)],
            "routes": [route({"pool": "spare"})],
        }
        gateway = follow(martlet, policy)
        assert FIELD not in ask(gateway).headers
        only.die()
        for _ in range(3):
            answer = ask(gateway)
            assert answer.status_code == 200, answer.text
            assert answer.headers[FIELD] == "large"
        embeddings = ask(gateway, path="/v1/embeddings")
        assert embeddings.headers[FIELD] == "large"
        reasons = fallbacks(gateway, model="large", fallback="large")
        assert sum(reasons.values()) == 4
        assert reasons.keys() <= {"unreachable", "no_endpoint"}


def test_another_model_answers_when_nodes_have_as_much_as_they_may(martlet, spare):
    done = threading.Event()

    def slow(handler, asked):
        done.wait(FOREVER)
        answering(handler, asked)

    with standing_in(slow) as busy:
        policy = {
            "pools": [pool("main", busy, breakers={"requests_max": 1}), pool("spare", spare)],
            "routes": [route({"model": "small", "pool": "spare"})],
        }
        gateway = follow(martlet, policy)
        with http1.RawConnection(gateway.address) as connection:
            body = json.dumps({"model": "large", "messages": []}).encode()
            connection.send(http1.post(CHAT, body))
            await_until(lambda: busy.requests, "the node to be asked")
            assert ask(gateway).json()["model"] == "small"
        done.set()
        assert fallbacks(gateway) == {"full": 1}


def test_what_another_model_answers_is_not_kept_for_the_first(martlet, full, spare):
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "small", "pool": "spare"}, cache=True)],
        "cache": {"ttl_seconds_min": 600, "ttl_seconds_max": 600},
    }
    gateway = follow(martlet, policy)
    for _ in range(2):
        answer = ask(gateway, temperature=0)
        assert answer.json()["model"] == "small"
        assert "x-martlet-cache" not in answer.headers
    full.is_full = False
    own = ask(gateway, temperature=0)
    assert (own.json()["model"], own.headers.get("x-martlet-cache")) == ("large", None)


def test_own_answer_of_a_route_with_fallbacks_is_kept(martlet, full, spare):
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "small", "pool": "spare"}, cache=True)],
        "cache": {"ttl_seconds_min": 600, "ttl_seconds_max": 600},
    }
    gateway = follow(martlet, policy)
    full.is_full = False
    assert "x-martlet-cache" not in ask(gateway, temperature=0).headers
    assert ask(gateway, temperature=0).headers["x-martlet-cache"] == "hit"


def guarded(martlet, tmp_path, entry, policy):
    """A gateway with one key."""
    file = tmp_path / "credentials.yaml"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    key = {"id": "alice", "sha256": digest, "tenant": "team-a", **entry}
    file.write_text(json.dumps({"keys": [key]}), encoding="utf-8")
    return follow(martlet, {"access": {"api_keys_file": str(file)}, **policy})


def test_the_model_that_answers_is_charged(martlet, tmp_path, full, spare):
    quotas = {"models": {name: {"tokens_per_day": 60} for name in ("large", "small")}}
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "small", "pool": "spare"})],
    }
    gateway = guarded(martlet, tmp_path, {"quotas": quotas}, policy)
    key = {"Authorization": f"Bearer {KEY}"}
    assert ask(gateway, key).json()["model"] == "small"
    # An answer is charged behind its end; then there is nobody to answer.
    await_until(lambda: ask(gateway, key).status_code == 429, "the quota to be used up")
    full.is_full = False
    own = ask(gateway, key)
    assert own.status_code == 200, own.text
    assert own.json()["model"] == "large"


def test_a_model_that_a_key_does_not_allow_is_not_asked(martlet, tmp_path, full, spare):
    policy = {
        "pools": [pool("main", full), pool("spare", spare)],
        "routes": [route({"model": "small", "pool": "spare"})],
    }
    gateway = guarded(martlet, tmp_path, {"scope": {"models": ["large"]}}, policy)
    refused = ask(gateway, {"Authorization": f"Bearer {KEY}"})
    assert refused.status_code == 429
    assert refused.json()["error"]["message"] == "full"
    assert not spare.requests


def test_a_policy_with_fallbacks_that_lead_nowhere_is_refused(martlet, full):
    file = martlet.directory / "policy.yaml"
    for more in ({"match": {"path_prefix": "/v1/models"}}, {"match": {"models": ["small"]}}):
        policy = {"pools": [pool("main", full)], "routes": [route({"model": "small"}, **more)]}
        file.write_text(json.dumps(policy), encoding="utf-8")
        ended = martlet.run("gateway", "--config", file, "--port", 0, "--admin-port", 0)
        assert ended.returncode == 78, ended.stderr
        assert "routes[0].fallbacks" in ended.stderr


# Fallback with real nodes.


@contextlib.contextmanager
def kept_busy(node):
    """A node of one sequence that runs one, and has another wait."""
    body = json.dumps(
        {
            "model": "large",
            "messages": [user(STORY)],
            "stream": True,
            "max_tokens": 1900,
            "ignore_eos": True,
        }
    ).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(http1.RawConnection(node.address))
            connection.send(http1.post(CHAT, body))
            # Of two that wait at once, one would be refused.
            language_models.await_running(node, 1)
        await_until(lambda: language_models.waiting(node) >= 1, "a sequence to wait")
        yield
    language_models.await_idle(node)


def curl(gateway, *flags):
    """The head and the body of an answer, by the stock command."""
    command = shutil.which("curl")
    assert command, "curl is missing: scripts/setup.sh packages installs it"
    body = json.dumps({"model": "large", "messages": [user("Hello")], "max_tokens": 4})
    url = f"http://{gateway.address}{CHAT}"
    ended = subprocess.run(
        [command, "-s", "-D", "-", *flags, url, "-d", body],
        capture_output=True,
        timeout=60,
        check=True,
    )
    head, _, content = ended.stdout.partition(b"\r\n\r\n")
    return head.decode().lower(), json.loads(content)


def test_a_small_model_answers_while_a_large_one_is_busy(martlet):
    flags = ("--max-sequences", 1, "--max-waiting-sequences", 1)
    large = language_models.serve(martlet, *flags, models={"large": language_models.FOLDER})
    small = language_models.serve(martlet, models={"small": language_models.FOLDER})
    policy = {
        "pools": [pool("main", large), pool("spare", small)],
        "routes": [
            route({"model": "small", "pool": "spare"}, match={"models": ["large"]}),
            {"name": "rest", "pool": "spare"},
        ],
    }
    gateway = follow(martlet, policy)
    client = gateway.client(client_of, gateway.address)
    with kept_busy(large):
        raw = chat(client.with_raw_response, "Hello", model="large")
        assert raw.headers[FIELD] == "small"
        assert raw.parse().model == "small"
        assert streamed_text(chat(client, "Hello", model="large", stream=True))
        for version in ("--http1.1", "--http2-prior-knowledge"):
            head, answer = curl(gateway, version)
            assert f"{FIELD}: small" in head
            assert answer["model"] == "small"
        with pytest.raises(openai.RateLimitError):
            chat(client, "Hello", model="large", extra_headers={"x-martlet-fallback": "none"})
        assert fallbacks(gateway, model="large", fallback="small") == {"refused": 4}
        metrics = gateway.admin.metrics()
        assert metrics.total("martlet_gateway_tokens_total", model="small") > 0
        assert metrics.total("martlet_gateway_tokens_total", model="large") == 0
    assert chat(client, "Hello", model="large").model == "large"


# Times by tokens.


def begins_and_stalls(*pieces):
    """Sends the head of a stream and these pieces, and nothing more."""

    def answer(handler, _):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            handler.send_chunk(piece)
        handler.server.end.wait(FOREVER)
        handler.close_connection = True

    return answer


def says_nothing(handler, _):
    handler.server.end.wait(FOREVER)
    handler.close_connection = True


@contextlib.contextmanager
def stalled(answer):
    with standing_in(answer) as server:
        server.end = threading.Event()
        try:
            yield server
        finally:
            server.end.set()


def timed(*nodes, **times):
    return {"pools": [pool("main", *nodes)], "routes": [{"name": "r", "timeouts": times}]}


def token(text="x"):
    data = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})
    return f"data: {data}\n\n".encode()


@pytest.mark.parametrize(
    "answer",
    [says_nothing, begins_and_stalls(), begins_and_stalls(b": waiting\n\n", b"event: x\n")],
    ids=["nothing", "head", "comments"],
)
def test_a_stream_without_a_first_token_is_asked_for_elsewhere(martlet, answer, spare):
    with stalled(answer) as stalling:
        policy = timed(stalling, spare, first_token_seconds=1)
        policy["pools"][0]["balancing"] = "round_robin"
        policy["pools"][0]["outliers"] = {"consecutive_failures": 2}
        gateway = follow(martlet, policy)

        def ejections():
            stream = ask(gateway, stream=True)
            assert stream.status_code == 200, stream.text
            assert events(stream.content)[-1] == "[DONE]"
            name = "martlet_gateway_ejections_total"
            return gateway.admin.metrics().total(name, endpoint=stalling.address)

        # A check that is answered ends the ejection.
        await_until(ejections, "the endpoint to be ejected")
        retries = gateway.admin.metrics().by("martlet_gateway_retries_total", "reason")
        assert retries["attempt_timeout"] >= 2


def test_a_stream_without_a_first_token_is_asked_of_another_model(martlet, spare):
    with stalled(begins_and_stalls()) as stalling:
        times = {"first_token_seconds": 1}
        policy = {
            "pools": [pool("main", stalling), pool("spare", spare)],
            "routes": [route({"model": "small", "pool": "spare"}, timeouts=times)],
        }
        gateway = follow(martlet, policy)
        stream = ask(gateway, stream=True)
        assert stream.headers[FIELD] == "small"
        assert events(stream.content)[-1] == "[DONE]"
        assert fallbacks(gateway) == {"timeout": 1}


def test_a_stream_that_stalls_ends_by_an_error(martlet):
    with stalled(begins_and_stalls(token("a"), token("b"), b": still here\n\n")) as stalling:
        gateway = follow(martlet, timed(stalling, between_tokens_seconds=1.5))
        start = time.monotonic()
        stream = ask(gateway, stream=True)
        assert time.monotonic() - start < FOREVER / 2
        # It came to a proper end.
        *told, last = [frame for frame in stream.text.split("\n\n") if frame.startswith("data: ")]
        assert len(told) == 2
        error = json.loads(last.removeprefix("data: "))["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["code"]) == ("server_error", "timeout")
        assert "within 1.5 seconds" in error["message"]
        client = gateway.client(client_of, gateway.address)
        seen = []

        def read():
            for chunk in chat(client, "Hello", model="large", stream=True):
                seen.append(chunk.choices[0].delta.content)

        with pytest.raises(openai.APIError, match=r"within 1\.5 seconds"):
            read()
        assert seen == ["a", "b"]


def test_a_stream_that_stalls_within_an_event_is_broken_off(martlet):
    with stalled(begins_and_stalls(token(), token()[:-9])) as stalling:
        gateway = follow(martlet, timed(stalling, between_tokens_seconds=1.5))
        with pytest.raises(Exception, match=r"(?i)incomplete|ended|closed|broken|reset|chunk"):
            ask(gateway, stream=True)


def test_a_stream_may_last_as_long_as_its_tokens_come(martlet):
    with standing_in(tokens(10, seconds=0.4)) as steady:
        times = {"first_token_seconds": 3, "between_tokens_seconds": 3}
        gateway = follow(martlet, timed(steady, **times))
        start = time.monotonic()
        stream = ask(gateway, stream=True)
        assert time.monotonic() - start > times["between_tokens_seconds"]
        assert len(events(stream.content)) == 11
        assert len(steady.requests) == 1


def test_a_whole_answer_gets_more_time_the_more_tokens_it_may_have(martlet):
    def slow(handler, asked):
        # No event could be awaited: what is tested is how long this takes.
        time.sleep(1.5)
        answering(handler, asked)

    with standing_in(slow) as server:
        times = {"total_seconds": 0.3, "per_token_seconds": 0.02, "tokens_assumed": 1000}
        gateway = follow(martlet, timed(server, **times))
        late = ask(gateway, max_tokens=10)
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "timeout"
        assert ask(gateway, max_tokens=1000).status_code == 200
        assert ask(gateway).status_code == 200
        # Other requests keep the time of the route.
        assert ask(gateway, path="/v1/embeddings").status_code == 504
