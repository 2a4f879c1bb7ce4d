"""--target-latency-ms-p99: batches that never wait, priorities, and refusals that come at once."""

import concurrent.futures
import time

import grpc
import pytest
import requests
from harness.clients import assert_rest_error, predict_request, refused
from harness.tensors import array_of, tensor
from harness.waiting import await_until

MODEL = "half_plus_two"
BODY = {"instances": [1.0]}
PRIORITY = "x-martlet-priority"


@pytest.fixture(scope="module")
def only_node(module_martlet):
    return module_martlet.serve((MODEL,), "--target-latency-ms-p99=50")


@pytest.fixture
def node(only_node):
    yield only_node
    only_node.assert_running()


def predict(node, values, *, timeout=15.0, metadata=()):
    request = predict_request(MODEL, {"x": tensor("float", values)})
    answer = node.grpc.prediction.Predict(request, timeout=timeout, metadata=metadata)
    return array_of(answer.outputs["y"]).tolist()


def test_idle_node_answers_without_a_wait_for_others(node):
    for _ in range(20):
        assert predict(node, [2.0]) == [3.0]
    samples = node.rest.metrics()
    waits = samples.total("martlet_batch_wait_seconds_sum", model=MODEL)
    count = samples.total("martlet_batch_wait_seconds_count", model=MODEL)
    assert count >= 20
    assert waits / count < 0.010


def test_what_was_learned_of_a_model_is_shown(node):
    predict(node, [1.0])
    samples = node.rest.metrics()
    assert samples.total("martlet_batch_target_seconds", model=MODEL) == 0.05
    assert samples.total("martlet_batch_rows_limit", model=MODEL) >= 1
    assert 0 < samples.total("martlet_batch_run_seconds", model=MODEL, rows="1") < 5


def test_many_clients_get_their_own_answers(martlet):
    # No machine is so busy that any of them is refused.
    node = martlet.serve((MODEL,), "--target-latency-ms-p99=10000")
    values = [float(value) for value in range(200)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda value: predict(node, [value]), values))
    assert answers == [[value / 2 + 2] for value in values]


@pytest.mark.parametrize("priority", ["high", "normal", "low", "High"])
def test_each_priority_is_answered(node, priority):
    assert node.rest.predict(MODEL, BODY, headers={PRIORITY: priority}).json() == {
        "predictions": [2.5]
    }
    assert predict(node, [1.0], metadata=((PRIORITY, priority.lower()),)) == [2.5]


def test_priority_that_there_is_not_is_refused_by_name(node):
    message = f"{PRIORITY} is 'urgent'; use one of high, normal, low"
    assert_rest_error(node.rest.predict(MODEL, BODY, headers={PRIORITY: "urgent"}), 400, message)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, message):
        predict(node, [1.0], metadata=((PRIORITY, "urgent"),))


def test_priority_is_not_looked_at_where_batches_are_not_adaptive(martlet):
    node = martlet.serve((MODEL,), "--enable-batching")
    assert node.rest.predict(MODEL, BODY, headers={PRIORITY: "urgent"}).ok


@pytest.fixture
def slow_node(martlet, tmp_path):
    """A node whose model takes long for a row, and has learned that."""
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch_size { value: 1 } num_batch_threads { value: 1 }")
    node = martlet.serve(
        ("slow",), "--target-latency-ms-p99=200", f"--batching-parameters-file={parameters}"
    )
    for _ in range(10):
        ask_slow(node)
    return node


def ask_slow(node, timeout=20.0):
    request = predict_request("slow", {"steps": tensor("int32", [1000])})
    return node.grpc.prediction.Predict(request, timeout=timeout)


def outcome(node):
    """The code of a request, and how long it took."""
    began = time.monotonic()
    try:
        ask_slow(node)
    except grpc.RpcError as error:
        return error.code().name, time.monotonic() - began
    return "OK", time.monotonic() - began


def test_more_than_can_be_answered_in_time_is_refused_at_once(slow_node):
    run = slow_node.rest.metrics().total("martlet_batch_run_seconds", model="slow", rows="1")
    # So many wait at once that the last would wait for seconds.
    clients = max(32, int(2 / run))
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        outcomes = list(pool.map(lambda _: outcome(slow_node), range(clients)))
    codes = [code for code, _ in outcomes]
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
    refusals = sorted(seconds for code, seconds in outcomes if code != "OK")
    # Before all would have run. All clients are threads of this one process: it, not the node,
    # makes refusals look slow.
    assert refusals[len(refusals) // 2] < clients * run
    counted = slow_node.rest.metrics().total("martlet_batch_refusals_total", bound="target")
    assert counted == len(refusals)


def test_request_that_its_client_would_not_wait_for_is_refused_at_once(slow_node):
    run = slow_node.rest.metrics().total("martlet_batch_run_seconds", model="slow", rows="1")
    told = []

    def is_refused():
        with pytest.raises(grpc.RpcError) as failure:
            ask_slow(slow_node, timeout=run / 2)
        told.append((failure.value.code(), failure.value.details()))
        return told[-1][0] == grpc.StatusCode.RESOURCE_EXHAUSTED

    # On a busy machine its time may be up before it hears of the refusal.
    await_until(is_refused, "a refusal")
    assert "after its deadline in" in told[-1][1]
    counted = slow_node.rest.metrics().total("martlet_batch_refusals_total", bound="deadline")
    assert 1 <= counted <= len(told)


def test_refusal_over_rest_is_429(slow_node):
    body = {"instances": [1000]}
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        statuses = list(
            pool.map(lambda _: post_alone(slow_node, "slow", body).status_code, range(64))
        )
    assert set(statuses) <= {200, 429}


def post_alone(node, model, body):
    """A request on a connection of its own."""
    return requests.post(f"{node.rest.url}/v1/models/{model}:predict", json=body, timeout=60)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--target-latency-ms-p99=0"], "write MS or NAME=MS"),
        (["--target-latency-ms-p99=half_plus_two=soon"], "write MS or NAME=MS"),
        (["--batching=sometimes"], "sometimes"),
        (["--batching=off", "--enable-batching"], "goes with neither"),
        (["--batching=fixed", "--target-latency-ms-p99=50"], "makes all batches adaptive"),
    ],
)
def test_flags_that_contradict_are_told(martlet, flags, message):
    ended = martlet.run("serve", "--model=m=/tmp", *flags)
    assert ended.returncode == 64
    assert message in ended.stderr
