"""Warm-up requests that come with a model run before its first request, or the model fails."""

import shutil

import pytest
from harness import models
from harness.examples import (
    CLASSIFY,
    REGRESS,
    classify_request,
    example,
    inference_request,
    regress_request,
)
from harness.prometheus import Samples
from harness.serving_api import prediction_log_pb2
from harness.tensors import tensor
from harness.waiting import await_until

FILE = "assets.extra/tf_serving_warmup_requests"
PATH = "/monitoring/prometheus/metrics"
LATENCY = ":tensorflow:serving:model_warmup_latency_count"


@pytest.fixture
def model(tmp_path):
    return models.model_folder(tmp_path / "models")


def put(version, content):
    path = version / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def logged(martlet, tmp_path):
    """The requests that a node logged, as a file of records."""
    node = martlet.serve(("half_plus_two",), f"--log-requests=half_plus_two={tmp_path / 'log'}")
    for value in (1.0, 2.0, 3.0):
        node.grpc.predict("half_plus_two", {"x": tensor("float", [value])})
    node.stop()
    (path,) = tmp_path.glob("log-*.tfrecord")
    return path.read_bytes()


def test_logged_requests_warm_the_next_version_up(martlet, model, logged):
    put(model / "1", logged)
    node = martlet.serve({"half_plus_two": model}, "--monitoring-path", PATH)
    (line,) = [line for line in node.log_lines() if '"warmed up"' in line]
    assert '"records":"3"' in line
    samples = Samples(node.rest.get(PATH).text)
    assert samples.total(LATENCY, status="OK", model_path=str(model / "1")) == 1
    assert samples.total(":tensorflow:serving:request_count") == 0


def test_logged_classifications_regressions_and_several_tasks_warm_up_too(martlet, tmp_path):
    model = models.model_folder(
        tmp_path / "models", "legacy_examples", models.fixture("legacy_examples") / "1"
    )
    folder = {"legacy_examples": model}
    logger = martlet.serve(
        folder,
        f"--log-requests=legacy_examples={tmp_path / 'log'}",
        *("--monitoring-path", PATH),
    )
    bird = example(name=b"swift", wings=2.5)
    stub = logger.grpc.prediction
    tasks = [("legacy_examples", "classify", CLASSIFY), ("legacy_examples", "", REGRESS)]
    stub.Classify(classify_request("legacy_examples", bird, signature="classify"), timeout=60)
    stub.Regress(regress_request("legacy_examples", bird, context=bird), timeout=60)
    stub.MultiInference(inference_request(tasks, bird, bird), timeout=60)
    samples = Samples(logger.rest.get(PATH).text)
    assert samples.total(":tensorflow:serving:request_example_count_total") == 4
    logger.stop()
    (path,) = tmp_path.glob("log-*.tfrecord")
    put(model / "1", path.read_bytes())
    node = martlet.serve(folder)
    (line,) = [line for line in node.log_lines() if '"warmed up"' in line]
    assert '"records":"3"' in line


def test_warm_up_can_be_switched_off(martlet, model):
    put(model / "1", b"these are no records")
    node = martlet.serve({"half_plus_two": model}, "--no-warm-up")
    assert node.rest.states("half_plus_two") == {1: "AVAILABLE"}


def test_a_version_whose_warm_up_fails_never_answers_and_the_old_one_stays(martlet, model):
    node = martlet.serve({"half_plus_two": model}, "--poll-interval-seconds", "0.2")
    broken = model.parent / "broken"
    shutil.copytree(models.HALF_PLUS_THREE, broken)
    put(broken, b"these are no records, but they are long enough")
    broken.rename(model / "2")

    def failed():
        return node.rest.status("half_plus_two").get(2, {}).get("state") == "END"

    await_until(failed, "version 2 to fail")
    status = node.rest.status("half_plus_two")[2]["status"]
    assert status["error_code"] == "DATA_LOSS"
    assert status["error_message"] == (
        "corrupted record at 0. Please verify your warmup data is in TFRecord format."
    )
    assert node.rest.predict("half_plus_two", {"instances": [2.0]}).json() == {"predictions": [3.0]}


def test_runs_of_bare_graphs_are_refused(martlet, model):
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.SetInParent()
    put(model / "1", framed(log.SerializeToString()))
    node = martlet.serve({"half_plus_two": model}, ready="live")
    node.await_state("half_plus_two", 1, "END")
    status = node.rest.status("half_plus_two")[1]["status"]
    assert status["error_code"] == "UNIMPLEMENTED"
    assert status["error_message"] == "Unsupported log_type for warmup: 5"


def test_models_without_requests_are_warmed_up_with_zeros_when_asked(martlet):
    node = martlet.serve(("half_plus_two", "strings"), "--warm-up-with-zeros")
    warmed = [line for line in node.log_lines() if "warmed up with zeros" in line]
    assert len(warmed) >= 2


def test_settings_that_come_with_a_model_must_be_readable(martlet, model):
    settings = model / "1" / "assets.extra" / "saved_model_config.pb"
    settings.parent.mkdir()
    settings.write_bytes(b"\xff\xff\xff")
    node = martlet.serve({"half_plus_two": model}, ready="live")
    node.await_state("half_plus_two", 1, "END")
    status = node.rest.status("half_plus_two")[1]["status"]
    assert status["error_message"] == f"Unable to parse SavedModelConfig: {settings}"


def framed(record):
    """A record in TFRecord's frame."""
    length = len(record).to_bytes(8, "little")
    return length + masked(length) + record + masked(record)


def masked(content):
    checksum = 0xFFFFFFFF
    for byte in content:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ (0x82F63B78 if checksum & 1 else 0)
    checksum ^= 0xFFFFFFFF
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return (rotated + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
