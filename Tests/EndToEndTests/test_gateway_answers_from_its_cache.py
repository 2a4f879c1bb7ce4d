"""Answers that the gateway keeps: whose they are, how long they are good, and who asks a node."""

import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time

import pytest
from harness.certificates import curl
from harness.clients import RestClient, predict_request
from harness.faults import well_by_its_word
from harness.model_server import config_file
from harness.models import (
    HALF_PLUS_THREE,
    HALF_PLUS_TWO,
    add_version,
    fixture,
    model_folder,
)
from harness.policies import cache, counting_node, follow, pool
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'

# No answer is too old within a test.
KEEPING = {"ttl_seconds_min": 600, "ttl_seconds_max": 600}


def cached(*nodes, **route):
    """A policy that keeps answers of all predictions."""
    return {
        "pools": [pool("main", *nodes)],
        "routes": [{"name": "r", "cache": True, **route}],
        "cache": KEEPING,
    }


@pytest.fixture
def origin():
    """What stands in for a node, and answers by how often it was asked."""
    with counting_node() as server:
        yield server


@contextlib.contextmanager
def redis(folder):
    """A Redis server without a memory of its own; `None` behind the scope."""
    # Debian's redis-tools has the server under another name, by which it would check a file.
    program = folder / "redis-server"
    program.symlink_to(shutil.which("redis-server") or shutil.which("redis-check-rdb"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as server:
        try:
            await_until(lambda: is_open(port), "Redis to listen")
            yield f"127.0.0.1:{port}", server
        finally:
            server.kill()


def keys_of(address):
    """How many keys a Redis server has."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"DBSIZE\r\n")
        return int(connection.recv(64).decode("ascii").strip().lstrip(":"))


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_gateways_share_what_they_keep_and_need_nobody_for_it(martlet, origin, tmp_path):
    with redis(tmp_path) as (address, server):
        policy = cached(origin)
        policy["cache"] = {**KEEPING, "redis": {"addresses": [address], "timeout_seconds": 2}}
        one, other = (follow(martlet, policy) for _ in range(2))
        _, source = ask(one)
        assert source is None
        # It is kept behind the answer, not before it.
        await_until(lambda: keys_of(address) == 1, "the answer to be kept")
        assert ask(other) == (1, "hit")
        server.kill()
        server.wait()
        for number in range(20):
            _, source = ask(other, f'{{"instances": [{number}.5]}}')
            assert source is None


def test_gateways_share_answers_to_grpc_calls_too(martlet, node, tmp_path):
    with redis(tmp_path) as (address, _):
        policy = cached(node)
        policy["cache"] = {**KEEPING, "redis": {"addresses": [address], "timeout_seconds": 2}}
        one, other = (follow(martlet, policy) for _ in range(2))
        request = predict_request("half_plus_two", {"x": tensor("float", [1.0])})
        first, call = one.grpc.prediction.Predict.with_call(request, timeout=60)
        assert "x-martlet-cache" not in dict(call.initial_metadata())
        await_until(lambda: keys_of(address) == 1, "the answer to be kept")
        for _ in range(2):
            again, call = other.grpc.prediction.Predict.with_call(request, timeout=60)
            assert dict(call.initial_metadata())["x-martlet-cache"] == "hit"
            assert again == first


@pytest.fixture
def gateway(martlet, origin):
    return follow(martlet, cached(origin))


def ask(gateway, body=BODY, path=PREDICT, **fields):
    """How often the node has been asked, as of the answer; and what the cache says of it."""
    response = gateway.rest.post(path, body, headers=fields)
    assert response.status_code == 200, response.text
    return response.json()["count"], response.headers.get("x-martlet-cache")


def test_answers_are_given_again_and_tell_their_age(gateway, origin):
    first = gateway.rest.post(PREDICT, BODY)
    assert "x-martlet-cache" not in first.headers
    assert "Age" not in first.headers
    began = time.monotonic()
    hit = gateway.rest.post(PREDICT, BODY)
    assert hit.headers["x-martlet-cache"] == "hit"
    assert int(hit.headers["Age"]) <= time.monotonic() - began + 1
    assert hit.content == first.content
    assert hit.headers["Content-Type"] == first.headers["Content-Type"]
    await_until(lambda: int(gateway.rest.post(PREDICT, BODY).headers["Age"]) >= 1, "an age", 5)
    assert len(origin.requests) == 1


def test_answers_are_given_again_over_http2(gateway, origin):
    # Answers are told apart by the codings that their clients take.
    assert ask(gateway, **{"Accept-Encoding": "identity"}) == (1, None)
    url = f"http://{gateway.address}{PREDICT}"
    fields = ("-H", "Accept-Encoding: identity")
    code, status, body = curl("--http2-prior-knowledge", *fields, "--include", "-d", BODY, url)
    assert (code, status) == (0, 200)
    assert "x-martlet-cache: hit" in body
    assert json.loads(body.rpartition("\n")[2])["count"] == 1
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        '{"instances":[1.0]}',
        '\n{ "instances" : [ 1.0 ] }\t',
        '\r\n{"instances":\n[\t1.0\r]}',
    ],
)
def test_the_same_input_is_the_same_however_it_is_written(gateway, other):
    assert ask(gateway) == (1, None)
    assert ask(gateway, other) == (1, "hit")


def test_the_order_of_keys_does_not_matter(gateway):
    first = '{"signature_name": "s", "instances": [{"a": 1, "b": [2, 3]}]}'
    second = '{"instances":[{"b":[2,3],"a":1}],"signature_name":"s"}'
    assert ask(gateway, first) == (1, None)
    assert ask(gateway, second) == (1, "hit")


@pytest.mark.parametrize(
    ("other", "path"),
    [
        ('{"instances": [2.0]}', PREDICT),
        ('{"instances": ["1.0"]}', PREDICT),
        ('{"instances": [1.0, 1.0]}', PREDICT),
        # It may be of another type to the model.
        ('{"instances": [1]}', PREDICT),
        ('{"instances": [[1.0]]}', PREDICT),
        ('{"inputs": [1.0]}', PREDICT),
        ('{"instances": [1.0], "signature_name": "s"}', PREDICT),
        ('{"instances": [1.0000000000000002]}', PREDICT),
        (BODY, "/v1/models/half_plus_two/versions/1:predict"),
        (BODY, "/v1/models/half_plus_two/labels/stable:predict"),
        (BODY, "/v1/models/other:predict"),
        (BODY, "/v1/models/half_plus_two:classify"),
    ],
)
def test_another_input_is_not_taken_for_the_same(gateway, other, path):
    assert ask(gateway) == (1, None)
    assert ask(gateway, other, path)[0] == 2
    assert ask(gateway) == (1, "hit")


def test_inputs_that_are_not_json_are_not_kept(gateway):
    for body in ('{"instances": [1.0]', '{"a": 1, "a": 2}', "x"):
        count = ask(gateway, body)[0]
        again = ask(gateway, body)
        assert again == (count + 1, None), body


def test_only_routes_that_ask_for_it_are_cached(martlet, origin):
    policy = cached(origin, match={"models": ["half_plus_two"]})
    policy["routes"].append({"name": "rest"})
    gateway = follow(martlet, policy)
    assert [ask(gateway, path="/v1/models/other:predict")[0] for _ in range(2)] == [1, 2]
    assert [ask(gateway) for _ in range(2)] == [(3, None), (3, "hit")]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/repository/models/a/load", "/x"])
def test_only_predictions_are_cached(gateway, path):
    body = '{"model": "m", "messages": []}'
    assert [ask(gateway, body, path)[0] for _ in range(2)] == [1, 2]


def test_clients_may_ask_not_to_keep_or_not_to_reuse(gateway):
    assert ask(gateway, **{"Cache-Control": "no-store"}) == (1, None)
    assert ask(gateway) == (2, None)
    assert ask(gateway) == (2, "hit")
    assert ask(gateway, **{"Cache-Control": "no-store"})[0] == 3
    assert ask(gateway, **{"Cache-Control": "no-cache"})[0] == 4
    assert ask(gateway) == (4, "hit")
    assert ask(gateway, **{"Cache-Control": "max-age=600"}) == (4, "hit")
    assert ask(gateway, **{"Cache-Control": "max-age=0"})[0] == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"cache-control": "no-store"},
        {"cache-control": "private"},
        {"Cache-Control": "public, no-cache"},
        {"set-cookie": "a=b"},
    ],
)
def test_nodes_may_say_that_an_answer_is_not_to_be_kept(martlet, fields):
    with counting_node(**fields) as origin:
        gateway = follow(martlet, cached(origin))
        assert [ask(gateway) for _ in range(2)] == [(1, None), (2, None)]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_errors_are_not_kept(martlet, status):
    with counting_node(status) as origin:
        pools = [{**pool("main", origin), "outliers": {"consecutive_failures": 0}}]
        gateway = follow(martlet, {**cached(origin), "pools": pools})
        for count in (1, 2, 3):
            answer = gateway.rest.post(PREDICT, BODY)
            assert (answer.status_code, answer.json()["count"]) == (status, count)


def test_answers_that_are_too_large_are_not_kept(martlet):
    with counting_node(body=b'{"predictions": "' + b"x" * 2000 + b'"}') as origin:
        policy = cached(origin)
        policy["cache"] = {**KEEPING, "entry_bytes_max": 1000}
        gateway = follow(martlet, policy)
        for _ in range(2):
            assert len(gateway.rest.post(PREDICT, BODY).content) > 2000
        assert len(origin.requests) == 2


def test_broken_answers_are_not_kept(martlet):
    def answer(handler, _):
        if len(handler.server.requests) > 3:
            handler.send(200, b'{"count": 4}')
            return
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"count":')
        handler.close_connection = True

    with stand_in(answer, well_by_its_word()) as origin:
        policy = cached(origin, retries={"attempts_max": 3})
        gateway = follow(martlet, policy)
        assert gateway.rest.post(PREDICT, BODY).status_code in (502, 503)
        await_until(lambda: gateway.rest.post(PREDICT, BODY).status_code == 200, "an answer")
        assert ask(gateway) == (4, "hit")


def test_routes_to_two_pools_never_share_an_answer(martlet, tmp_path):
    with counting_node() as old, counting_node() as new, redis(tmp_path) as (address, _):
        beta = {"headers": [{"name": "x-beta", "exact": "1"}]}
        policy = {
            "pools": [pool("main", old), pool("next", new)],
            "routes": [
                {"name": "beta", "cache": True, "pool": "next", "match": beta},
                {"name": "rest", "cache": True, "pool": "main"},
            ],
            "cache": {**KEEPING, "redis": {"addresses": [address], "timeout_seconds": 2}},
        }
        one, other = (follow(martlet, policy) for _ in range(2))
        asked = {}
        for beta in ("0", "1"):
            answer = one.rest.post(PREDICT, BODY, headers={"X-Beta": beta})
            assert "x-martlet-cache" not in answer.headers
            asked[beta] = answer.json()["port"]
        assert asked["0"] != asked["1"]
        await_until(lambda: keys_of(address) == 2, "the answers to be kept")
        for gateway in (one, other):
            for beta, port in asked.items():
                answer = gateway.rest.post(PREDICT, BODY, headers={"X-Beta": beta})
                assert answer.headers["x-martlet-cache"] == "hit"
                assert answer.json()["port"] == port
        assert (len(old.requests), len(new.requests)) == (1, 1)


def test_answers_get_the_header_fields_of_their_route(martlet):
    with counting_node(**{"x-inner": "i"}) as origin:
        changes = {"response": {"remove": ["x-inner"], "add": {"x-gateway": "martlet"}}}
        gateway = follow(martlet, cached(origin, headers=changes))
        for expected in (None, "hit"):
            answer = gateway.rest.post(PREDICT, BODY)
            assert answer.headers.get("x-martlet-cache") == expected
            assert answer.headers["x-gateway"] == "martlet"
            assert "x-inner" not in answer.headers


def test_tenants_never_share_an_answer(martlet, origin, tmp_path):
    secrets = {"alice": "fraud", "ann": "fraud", "bob": "imaging"}
    keys = [
        {"id": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "tenant": tenant}
        for name, tenant in secrets.items()
    ]
    file = tmp_path / "credentials.yaml"
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    gateway = follow(martlet, {**cached(origin), "access": {"api_keys_file": str(file)}})
    assert ask(gateway, **{"X-API-Key": "alice"}) == (1, None)
    assert ask(gateway, **{"X-API-Key": "bob"}) == (2, None)
    assert ask(gateway, **{"X-API-Key": "bob"}) == (2, "hit")
    # Two keys of one tenant are one.
    assert ask(gateway, **{"X-API-Key": "ann"}) == (1, "hit")
    assert gateway.rest.post(PREDICT, BODY).status_code == 401
    assert len(origin.requests) == 2


def test_another_version_makes_answers_old_at_once(martlet, tmp_path):
    model = model_folder(tmp_path / "models")
    node = martlet.serve({"half_plus_two": model}, "--poll-interval-seconds", 0.1)
    gateway = follow(martlet, cached(node))

    def predict():
        answer = gateway.rest.predict("half_plus_two", BODY)
        return answer.json()["predictions"], answer.headers.get("x-martlet-cache")

    assert [predict(), predict()] == [([2.5], None), ([2.5], "hit")]
    add_version(model, 2, HALF_PLUS_THREE)
    await_until(lambda: node.rest.states("half_plus_two").get(2) == "AVAILABLE", "the version")
    # Within the next check of the node, and far before its time is over.
    await_until(lambda: predict()[0] == [3.5], "the new answer", 3)
    assert predict() == ([3.5], "hit")


def test_label_that_moves_makes_answers_old_at_once(martlet, tmp_path):
    add_version(tmp_path / "m", 1, HALF_PLUS_TWO)
    add_version(tmp_path / "m", 2, HALF_PLUS_THREE)

    def configure(labels=""):
        models = {"m": (tmp_path / "m", "model_version_policy { all {} } " + labels)}
        return config_file(tmp_path / "models", models)

    flags = ("--poll-interval-seconds", 0.1)
    node = martlet.serve({}, "--model-config-file", configure(), *flags)
    for version in (1, 2):
        node.await_state("m", version, "AVAILABLE")
    gateway = follow(martlet, cached(node))

    def predict():
        answer = gateway.rest.post("/v1/models/m/labels/stable:predict", BODY)
        return answer.json().get("predictions"), answer.headers.get("x-martlet-cache")

    configure('version_labels { key: "stable" value: 1 }')
    await_until(lambda: predict() == ([2.5], "hit"), "the answer to be kept", 10)
    configure('version_labels { key: "stable" value: 2 }')
    await_until(lambda: predict()[0] == [3.5], "the new answer", 10)
    await_until(lambda: predict() == ([3.5], "hit"), "the new answer to be kept", 10)


def test_answers_of_a_canary_are_of_their_own_version(martlet, tmp_path):
    add_version(tmp_path / "m", 1, HALF_PLUS_TWO)
    add_version(tmp_path / "m", 2, HALF_PLUS_THREE)
    models = {"m": (tmp_path / "m", "model_version_policy { all {} }")}
    node = martlet.serve({}, "--model-config-file", config_file(tmp_path / "models", models))
    for version in (1, 2):
        node.await_state("m", version, "AVAILABLE")
    canary = {
        "model": "m",
        "baseline": {"version": 1},
        "candidate": {"version": 2},
        "weight_percent_start": 50,
        "interval_seconds": 600,
        "sticky_header": "x-account",
    }
    gateway = follow(martlet, cached(node, canary=canary))
    answers = {}
    for turn in range(2):
        for account in map(str, range(20)):
            response = gateway.rest.predict("m", BODY, headers={"X-Account": account})
            answer = response.json()["predictions"]
            assert answers.setdefault(account, answer) == answer
            assert turn == 0 or response.headers["x-martlet-cache"] == "hit"
    assert {answer[0] for answer in answers.values()} == {2.5, 3.5}


def test_identical_requests_at_once_ask_a_node_once(martlet):
    node = martlet.serve({"slow": fixture("slow")})
    steps = steps_of(node, 1.0)
    gateway = follow(martlet, cached(node))
    before = node.rest.metrics().total("martlet_requests_total", model="slow")
    answers = at_once(8, lambda client: client.predict("slow", {"instances": [steps]}), gateway)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    after = node.rest.metrics().total("martlet_requests_total", model="slow")
    assert after - before == 1
    how = [answer.headers.get("x-martlet-cache") for answer in answers]
    assert how.count(None) == 1
    assert set(how) <= {None, "shared", "hit"}
    assert cache(gateway)["shared"] == how.count("shared") > 0


def test_one_client_that_leaves_does_not_spoil_the_answer_of_the_others(martlet):
    release, held = threading.Event(), threading.Semaphore(0)

    def answer(handler, _):
        held.release()
        release.wait(100)
        handler.send(200, json.dumps({"count": len(handler.server.requests)}).encode())

    with stand_in(answer, well_by_its_word()) as origin:
        gateway = follow(martlet, cached(origin))
        leader = threading.Thread(target=hang_up, args=(gateway, held), daemon=True)
        leader.start()
        leader.join(120)
        waiting = threading.Thread(target=lambda: release.wait(1) or release.set(), daemon=True)
        waiting.start()
        answers = at_once(3, lambda client: client.post(PREDICT, BODY), gateway)
        assert {answer.status_code for answer in answers} == {200}
        release.set()
    assert len(origin.requests) <= 2


def hang_up(gateway, held):
    """Asks, and is gone before the answer comes."""
    with contextlib.closing(RestClient(gateway.address)) as client:
        with contextlib.suppress(OSError):
            client.post(PREDICT, BODY, timeout=2)
        assert held.acquire(timeout=60)


def at_once(count, call, gateway):
    answers = [None] * count
    ready = threading.Barrier(count)

    def run(number):
        with contextlib.closing(RestClient(gateway.address)) as client:
            ready.wait(100)
            answers[number] = call(client)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a request never ended"
    return answers


def steps_of(node, seconds):
    """How many steps make the model `slow` run that long here."""
    node.rest.predict("slow", {"instances": [1]})
    began = time.monotonic()
    assert node.rest.predict("slow", {"instances": [2000]}).status_code == 200
    return int(2000 * seconds / (time.monotonic() - began))


def test_answers_grow_old(martlet, origin):
    policy = cached(origin)
    policy["cache"] = {"ttl_seconds_min": 1, "ttl_seconds_max": 1}
    gateway = follow(martlet, policy)
    assert [ask(gateway), ask(gateway)] == [(1, None), (1, "hit")]
    await_until(lambda: ask(gateway)[0] == 2, "the answer to be too old", 5, 0.1)


def test_stale_answers_are_given_while_another_is_fetched(martlet):
    release, held = threading.Event(), threading.Semaphore(0)

    def answer(handler, _):
        count = len(handler.server.requests)
        if count == 2:
            held.release()
            release.wait(100)
        handler.send(200, json.dumps({"count": count}).encode())

    with stand_in(answer, well_by_its_word()) as origin:
        policy = cached(origin)
        policy["cache"] = {"ttl_seconds_min": 1, "ttl_seconds_max": 1, "stale_seconds": 600}
        gateway = follow(martlet, policy)
        assert ask(gateway) == (1, None)
        # Somebody fetches the second answer, and is kept waiting for it.
        fetching = threading.Thread(
            target=lambda: await_until(lambda: fetch(gateway) == 2, "an answer", 20), daemon=True
        )
        fetching.start()
        assert held.acquire(timeout=60)
        for _ in range(3):
            assert ask(gateway) == (1, "hit")
        release.set()
        await_until(lambda: ask(gateway)[0] == 2, "the other answer", 5)
        fetching.join(120)
    assert len(origin.requests) == 2


def fetch(gateway):
    with contextlib.closing(RestClient(gateway.address)) as client:
        return client.post(PREDICT, BODY).json()["count"]


def test_memory_is_bounded(martlet, origin):
    policy = cached(origin)
    policy["cache"] = {**KEEPING, "memory_bytes": "64KiB"}
    gateway = follow(martlet, policy)
    for number in range(300):
        ask(gateway, json.dumps({"instances": [number]}))
    state = cache(gateway)
    assert 0 < state["entries"] < 300
    assert state["bytes"] <= 64 << 10


def test_answers_are_told_apart_by_their_coding(martlet, node):
    policy = cached(node)
    gateway = follow(martlet, policy)
    body = {"signature_name": "identity_int32", "instances": list(range(5000))}
    answers = []
    for coding in ("identity", "gzip", "identity", "gzip"):
        answers.append(gateway.rest.predict("dtypes", body, headers={"Accept-Encoding": coding}))
    assert [a.headers.get("Content-Encoding") for a in answers] == [None, "gzip"] * 2
    assert [a.headers.get("x-martlet-cache") for a in answers] == [None, None, "hit", "hit"]
    assert len({a.text for a in answers}) == 1


def test_grpc_predictions_are_right_beside_cached_ones(martlet, node):
    gateway = follow(martlet, cached(node))
    for _ in range(2):
        gateway.assert_unharmed()
        gateway.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})


def test_lookups_are_counted(gateway):
    ask(gateway)
    for _ in range(3):
        ask(gateway)
    ask(gateway, '{"instances": [2.0]}')
    state = cache(gateway)
    assert (state["hits"], state["misses"], state["entries"]) == (3, 2, 2)
    samples = gateway.admin.metrics()
    outcomes = samples.by("martlet_gateway_cache_lookups_total", "outcome")
    assert (outcomes["hit"], outcomes["miss"]) == (3, 2)
    assert samples.total("martlet_gateway_cache_bytes") == state["bytes"] > 0


def test_hits_are_counted_and_logged_as_requests(gateway, origin):
    for _ in range(3):
        ask(gateway)
    samples = gateway.admin.metrics()
    assert samples.total("martlet_gateway_requests_total", code="200") == 3
    lines = [json.loads(line) for line in gateway.log_lines() if '"path"' in line]
    logged = [(line["status"], line["response_bytes"]) for line in lines if line["path"] == PREDICT]
    length = len(gateway.rest.post(PREDICT, BODY).content)
    assert logged == [(200, length)] * 3
    assert len(origin.requests) == 1
