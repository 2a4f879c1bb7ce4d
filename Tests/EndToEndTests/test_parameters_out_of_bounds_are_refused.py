"""Numbers that no flag, file or request may hold: each is named and refused, nothing crashes."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from harness.clients import assert_unharmed, predict_request
from harness.models import fixture
from harness.tensors import tensor
from harness.waiting import await_until

USAGE = 64
# What the original exits with.
USAGE_OF_THE_ORIGINAL = 255
# Found only after the flags are; a command that takes its flags ends with this.
NO_ENGINE = 69
NOT_NUMBERS = ("", "nan", "bird", "1.5x", "1e400", "99999999999999999999")

FLAGS_OF_SERVE = {
    "port": ("-1", "65536"),
    "engine-threads": ("-1",),
    "tflite-interpreters": ("-1", "0"),
    "max-json-depth": ("-1", "0"),
    "max-json-values": ("-1", "0"),
    "queue-capacity": ("-1", "0"),
    "poll-interval-seconds": ("-1", "0"),
    "memory-budget": ("-1",),
    "load-threads": ("-1", "0"),
    "rest-timeout-seconds": ("-1",),
    "compress-answers-bytes": ("-1",),
    "max-message-bytes": ("-1", "0"),
    "max-header-fields": ("-1", "0"),
    "max-header-bytes": ("-1", "0"),
    "header-timeout-seconds": ("-1", "0"),
    "body-timeout-seconds": ("-1", "0"),
    "min-body-bytes-per-second": ("-1",),
    "body-grace-seconds": ("-1", "0"),
    "idle-timeout-seconds": ("-1", "0"),
    "tcp-user-timeout-seconds": ("-1", "32768"),
    "tcp-keepalive-seconds": ("-1", "32768"),
    "max-concurrent-streams": ("-1", "0"),
    "max-connections": ("-1", "0"),
    "drain-seconds": ("-1",),
    "openai-max-messages": ("-1", "0"),
    "openai-max-tools": ("-1", "0"),
    "openai-max-schema-values": ("-1", "0"),
    "openai-max-choices": ("-1", "0"),
    "openai-max-prompts": ("-1", "0"),
    "openai-max-stop-sequences": ("-1", "0"),
    "openai-max-embedding-inputs": ("-1", "0"),
    "openai-max-documents": ("-1", "0"),
    "openai-max-input-tokens": ("-1", "0"),
    "context-tokens": ("-1", "16777217"),
    "max-sequences": ("-1", "0", "65"),
    "max-waiting-sequences": ("-1", "0", "1000001"),
    "step-tokens": ("-1", "0", "65537"),
    "draft-tokens": ("-1", "65"),
    "llama-threads": ("-1", "513"),
    "prompt-share": ("-1", "0", "1.5"),
    "kv-cache": ("-1", "0", "1XiB"),
    "gpu-layers": ("-1",),
    "max-stream-buffer-bytes": ("-1", "0"),
    "warm-up-iterations": ("-1",),
    "request-log-rate": ("-1", "1.5"),
    "request-log-file-bytes": ("-1",),
    "request-log-files": ("-1", "0"),
}

SHARES = ("", "0", "-1", "bird", "1,bird", "1,,2", "nan")

FLAGS_OF_THE_ORIGINAL = {
    "port": ("-1", "65536"),
    "rest_api_port": ("-1", "65536"),
    "rest_api_num_threads": (),
    "rest_api_timeout_in_ms": (),
    "model_config_file_poll_wait_seconds": (),
    "num_load_threads": (),
    "num_unload_threads": (),
    "max_num_load_retries": (),
    "load_retry_interval_micros": (),
    "file_system_poll_wait_seconds": (),
    "tensorflow_session_parallelism": (),
    "tensorflow_intra_op_parallelism": (),
    "tensorflow_inter_op_parallelism": (),
    "per_process_gpu_memory_fraction": ("-1", "1.5"),
    "grpc_max_threads": (),
    "num_request_iterations_for_warmup": (),
    "num_tflite_pools": (),
    "num_tflite_interpreters_per_pool": (),
}

BATCHING_PARAMETERS = (
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
    "max_execution_batch_size",
    "allowed_batch_sizes",
)


def values(flags):
    return [(flag, value) for flag, own in flags.items() for value in (*own, *NOT_NUMBERS)]


def shown(value):
    """How a message may show a value: as it was given, or as the number that it was read as."""
    try:
        return value, f"{float(value):.0e}"
    except ValueError:
        return (value,)


def refusals(run, cases, code):
    """What is wrong with the answers, by case; commands are run two at a time."""
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(run, cases))
    wrong = []
    for case, result in zip(cases, results, strict=True):
        name, value = case
        named = name in result.stderr and any(text in result.stderr for text in shown(value))
        if result.returncode != code or not named:
            wrong.append((case, result.returncode, result.stderr[:300]))
    return wrong


@pytest.mark.deadline(120)
def test_flags_of_serve_name_the_value_that_they_do_not_take(martlet):
    def run(case):
        model = f"--model=half_plus_two={fixture('half_plus_two')}"
        engine = "--tensorflow-path=/nonexistent"
        return martlet.run("serve", model, "--port=0", engine, f"--{case[0]}={case[1]}")

    assert run(("drain-seconds", "1")).returncode == NO_ENGINE
    cases = values(FLAGS_OF_SERVE) + [("tensor-split", value) for value in SHARES]
    assert refusals(run, cases, USAGE) == []


@pytest.mark.deadline(120)
def test_flags_of_the_original_name_the_value_that_they_do_not_take(martlet):
    def run(case):
        return martlet.run(
            *("model-server", "--port=0", "--rest_api_port=0"),
            *(f"--model_base_path={fixture('half_plus_two')}", f"--{case[0]}={case[1]}"),
            environment={"MARTLET_TENSORFLOW_PATH": "/nonexistent"},
        )

    assert refusals(run, values(FLAGS_OF_THE_ORIGINAL), USAGE_OF_THE_ORIGINAL) == []


@pytest.mark.deadline(120)
def test_batching_parameters_name_the_value_that_they_do_not_take(martlet, tmp_path):
    def run(case):
        name, value = case
        number = str(abs(hash(case)))
        file = tmp_path / f"{name}-{number}.pbtxt"
        file.write_text(f"{name} {{ value: {value} }}\n", encoding="utf-8")
        if name == "allowed_batch_sizes":
            file.write_text(f"{name}: {value}\n", encoding="utf-8")
        return martlet.run(
            *("serve", f"--model=half_plus_two={fixture('half_plus_two')}", "--port=0"),
            *("--tensorflow-path=/nonexistent", "--enable-batching"),
            f"--batching-parameters-file={file}",
        )

    cases = list(itertools.product(BATCHING_PARAMETERS, ("-1", "nan", "bird", "1e400", "1" * 20)))
    # A file that is not understood is named with its line, as the original does it.
    results = [run(case) for case in cases]
    wrong = [
        (case, result.returncode, result.stderr[:300])
        for case, result in zip(cases, results, strict=True)
        if result.returncode in (0, NO_ENGINE)
        or result.returncode < 0
        or not (case[0] in result.stderr or "pbtxt" in result.stderr or ":1:" in result.stderr)
    ]
    assert wrong == []


VERSIONS = ("-1", "0x1", "1.0", "nan", "1e3", "99999999999999999999", "%00", "%2e%2e", "1%20", "+1")
METHODS = ("predict", "classify", "regress")


def test_versions_that_are_no_numbers_are_refused_over_rest(node):
    for version, method in itertools.product(VERSIONS, METHODS):
        path = f"/v1/models/half_plus_two/versions/{version}:{method}"
        answer = node.rest.post(path, {"instances": [1.0]})
        assert answer.status_code in (400, 404), f"{path}: {answer.status_code} {answer.text}"
        assert answer.json()["error"], path
        answer = node.rest.get(f"/v1/models/half_plus_two/versions/{version}")
        assert answer.status_code in (400, 404), f"{path}: {answer.status_code} {answer.text}"
    assert_unharmed(node)


def test_versions_labels_and_filters_out_of_bounds_are_refused_over_grpc(node):
    inputs = {"x": tensor("float", [1.0])}
    requests = [
        predict_request("half_plus_two", inputs, version=version)
        for version in (-1, -(1 << 63), 0, 2, (1 << 63) - 1)
    ]
    requests += [
        predict_request("half_plus_two", inputs, outputs=outputs)
        for outputs in (["nope"], [""], ["y", "y"], ["y\0"], ["y:0"], ["y"] * 10_000)
    ]
    requests += [
        predict_request("half_plus_two", inputs, signature=signature)
        for signature in ("nope", "\0", "../x", "x" * 100_000)
    ]
    for label in ("nope", "\0", "../x", "-1", "x" * 100_000):
        requests.append(predict_request("half_plus_two", inputs))
        requests[-1].model_spec.version_label = label
    for request in requests:
        with pytest.raises(grpc.RpcError) as refusal:
            node.grpc.prediction.Predict(request, timeout=60)
        code = refusal.value.code()
        named = str(request)[-300:]
        assert code in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.FAILED_PRECONDITION,
        ), f"{code} {refusal.value.details()[:300]} for {named}"
    assert_unharmed(node)


def infer(**changes):
    tensor = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]}
    return {"inputs": [tensor | changes]}


WRONG_SHAPES = (
    [-1],
    [0],
    [2],
    [1.5],
    ["1"],
    [None],
    [True],
    [1 << 63],
    [1 << 62, 4],
    [10**30],
    [1 << 40],
    1,
    "1",
    {},
    None,
    [1] * 1000,
)
WRONG_TYPES = ("", "fp32", "FP33", "INT32", "BYTES", 1, None, [], {}, "\0", "X" * 100_000)
WRONG_DATA = ([], [[]], ["1"], [None], [{}], 1, None, {}, [1.0, 2.0], [[1.0], [2.0]], [True])
WRONG_NUMBERS = (-1, -0.5, 1.5, 1 << 63, 10**30, 1e300, "1", None, [], {})
BODIES = (
    [infer(shape=shape) for shape in WRONG_SHAPES]
    + [infer(datatype=datatype) for datatype in WRONG_TYPES]
    + [infer(data=data) for data in WRONG_DATA]
    + [infer(name=name) for name in ("", "y", 1, None, [], "\0")]
    + [infer(parameters={"binary_data_size": size}) | {"id": "1"} for size in WRONG_NUMBERS]
    + [infer() | {"outputs": outputs} for outputs in (1, {}, [{}], [{"name": "nope"}], [1], [[]])]
    + [{"inputs": inputs} for inputs in (None, {}, [], 1, [1], [None])]
    + [infer() | {"parameters": parameters} for parameters in (1, [], "x")]
    + [infer() | {"id": number} for number in (1, [], {})]
)


def test_parameters_of_open_inference_out_of_bounds_are_refused(node):
    assert node.rest.post("/v2/models/half_plus_two/infer", infer()).status_code == 200
    wrong = []
    for body in BODIES:
        answer = node.rest.post("/v2/models/half_plus_two/infer", body)
        if answer.status_code != 400 or not answer.json().get("error"):
            wrong.append((str(body)[:200], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert_unharmed(node)


PREDICT_BODIES = (
    [{"instances": instances} for instances in (None, 1, "x", {}, [None], ["x"], [{}], [[1], 2])]
    + [{"inputs": inputs} for inputs in (None, "x", {}, [None], {"y": [1.0]}, {"x": None})]
    + [{"instances": [1.0], "inputs": [1.0]}, {}, [], 1, None, "x", True]
    + [
        {"instances": [1.0], "signature_name": name}
        for name in ("nope", 1, None, [], {}, "\0", "x" * 100_000)
    ]
)


def test_bodies_out_of_bounds_are_refused_over_rest(node):
    wrong = []
    for body in PREDICT_BODIES:
        answer = node.rest.predict("half_plus_two", body)
        if answer.status_code != 400 or not answer.json().get("error"):
            wrong.append((str(body)[:200], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert_unharmed(node)


def test_refusals_cost_the_node_less_than_five_milliseconds(martlet):
    """By the node's own clock, from a request's first byte to the last of the refusal."""
    node = martlet.serve(access_log=True)
    for body in PREDICT_BODIES:
        node.rest.predict("half_plus_two", body)
    for body in BODIES:
        node.rest.post("/v2/models/half_plus_two/infer", body)
    for version in VERSIONS:
        node.rest.post(f"/v1/models/half_plus_two/versions/{version}:predict", {"instances": [1]})
    expected = len(PREDICT_BODIES) + len(BODIES) + len(VERSIONS)

    def seconds():
        lines = [json.loads(line) for line in node.log_lines() if '"martlet.access"' in line]
        return [line["duration_seconds"] for line in lines if 400 <= line.get("status", 0) < 500]

    await_until(lambda: len(seconds()) >= expected, "all refusals to be logged")
    # Of a few the machine's other work makes more.
    assert sorted(seconds())[int(0.95 * expected)] < 0.005, sorted(seconds())[-20:]
