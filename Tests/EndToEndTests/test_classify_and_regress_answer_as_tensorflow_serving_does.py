"""Requests that carry `tf.Example`, over gRPC and REST."""

import base64
import json
import re

import grpc
import pytest
from harness.clients import assert_rest_error, refused
from harness.examples import (
    CLASSIFY,
    REGRESS,
    classes_of,
    classify_request,
    example,
    inference_request,
    regress_request,
    values_of,
)
from harness.prometheus import Samples
from harness.waiting import await_until

SECONDS = 60

SWIFT = example(name=b"swift", wings=2.5, eggs=[2, 3])
GULL = example(name=b"gull", wings=0.5)


@pytest.fixture
def stub(node):
    return node.grpc.prediction


def test_classify_gives_each_example_its_classes_and_scores(stub):
    response = stub.Classify(classify_request("birds", SWIFT, GULL), timeout=SECONDS)
    assert classes_of(response) == [
        [("swift", 2.5), ("not a bird", 5.0)],
        [("gull", 0.5), ("not a bird", 0.0)],
    ]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("birds", 1, "serving_default")


def test_classify_with_scores_or_labels_alone(stub):
    response = stub.Classify(
        classify_request("birds", SWIFT, signature="scores_only"), timeout=SECONDS
    )
    assert classes_of(response) == [[("", 2.5), ("", 5.0)]]
    response = stub.Classify(
        classify_request("birds", SWIFT, signature="classes_only"), timeout=SECONDS
    )
    assert classes_of(response) == [[("swift", 0.0), ("not a bird", 0.0)]]
    assert response.model_spec.signature_name == "classes_only"


@pytest.mark.parametrize("signature", ["regress", "regress_column"])
def test_regress_gives_each_example_a_number(stub, signature):
    response = stub.Regress(
        regress_request("birds", SWIFT, GULL, signature=signature, version=1), timeout=SECONDS
    )
    assert values_of(response) == [10.0, 1.0]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("birds", 1, signature)


def test_context_stands_in_for_features_that_an_example_lacks(stub):
    context = example(name=b"any", wings=4.0)
    response = stub.Classify(
        classify_request("birds", GULL, example(wings=1.0), context=context), timeout=SECONDS
    )
    assert classes_of(response) == [
        [("gull", 0.5), ("not a bird", 0.0)],
        [("any", 1.0), ("not a bird", 0.0)],
    ]
    response = stub.Regress(
        regress_request("birds", example(), context=context, signature="regress"), timeout=SECONDS
    )
    assert values_of(response) == [8.0]


def test_multi_inference_answers_all_tasks_in_order(stub):
    tasks = [
        ("legacy_examples", "classify", CLASSIFY),
        ("legacy_examples", "", REGRESS),
        ("legacy_examples", "classify_scores", CLASSIFY),
    ]
    response = stub.MultiInference(inference_request(tasks, SWIFT, GULL), timeout=SECONDS)
    assert [result.WhichOneof("result") for result in response.results] == [
        "classification_result",
        "regression_result",
        "classification_result",
    ]
    first, second, third = response.results
    labels = [[c.label for c in e.classes] for e in first.classification_result.classifications]
    assert labels == [["swift", "not a bird"], ["gull", "not a bird"]]
    assert [r.value for r in second.regression_result.regressions] == [10.0, 1.0]
    scores = [[c.score for c in e.classes] for e in third.classification_result.classifications]
    assert scores == [[2.5, 5.0], [0.5, 0.0]]
    assert [
        (r.model_spec.name, r.model_spec.version.value, r.model_spec.signature_name)
        for r in response.results
    ] == [
        ("legacy_examples", 1, "classify"),
        ("legacy_examples", 1, "serving_default"),
        ("legacy_examples", 1, "classify_scores"),
    ]


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ([("", "", REGRESS)], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            [("legacy_examples", "", REGRESS), ("", "", REGRESS)],
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        (
            [("legacy_examples", "", REGRESS), ("birds", "", REGRESS)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("legacy_examples", "", REGRESS), ("legacy_examples", "serving_default", REGRESS)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: serving_default",
        ),
        (
            [("legacy_examples", "nope", REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: nope",
        ),
        (
            [("legacy_examples", "", "tensorflow/serving/predict")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            [("legacy_examples", "", REGRESS), ("legacy_examples", "regress_others", REGRESS)],
            "INVALID_ARGUMENT",
            "Input tensor must be the same for all Signatures.",
        ),
        (
            [("legacy_examples", "", REGRESS), ("legacy_examples", "predict", CLASSIFY)],
            "FAILED_PRECONDITION",
            re.compile('^Expected classification signature outputs to contain at least one of "c'),
        ),
        ([("nope", "", REGRESS)], "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    ],
)
def test_multi_inference_of_tasks_that_do_not_fit_is_refused(node, stub, tasks, code, message):
    with refused(grpc.StatusCode[code], message):
        stub.MultiInference(inference_request(tasks, SWIFT), timeout=SECONDS)
    node.assert_unharmed()


@pytest.mark.parametrize(
    ("signature", "code", "message"),
    [
        ("nope", "INVALID_ARGUMENT", "No signature was found with the name: nope"),
        (
            "misnamed",
            "FAILED_PRECONDITION",
            re.compile(r"^No regression inputs found in SignatureDef: (.|\n)*examples"),
        ),
        ("serving_default", "INVALID_ARGUMENT", "Expected one output Tensor."),
        (
            "scores_only",
            "FAILED_PRECONDITION",
            re.compile("^No regression outputs found in SignatureDef: "),
        ),
        (
            "regress_matrix",
            "INVALID_ARGUMENT",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            "but got [2,2]",
        ),
        (
            "regress_total",
            "INVALID_ARGUMENT",
            "Input batch size did not match output batch size: 2 vs. 1",
        ),
    ],
)
def test_regress_by_a_signature_that_does_not_fit_is_refused(node, signature, code, message):
    request = regress_request("birds", SWIFT, GULL, signature=signature)
    with refused(grpc.StatusCode[code], message):
        node.grpc.prediction.Regress(request, timeout=SECONDS)
    body = {"signature_name": signature, "examples": [{"wings": 2.5}, {"wings": 0.5}]}
    assert_rest_error(node.rest.post("/v1/models/birds:regress", body), 400, message)


def test_requests_without_examples_or_model_are_refused(node, stub):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Input is empty."):
        stub.Classify(classify_request("birds"), timeout=SECONDS)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Input is empty."):
        stub.Regress(
            regress_request("birds", context=example(wings=1.0), signature="regress"),
            timeout=SECONDS,
        )
    without_model = classify_request("birds", SWIFT)
    without_model.ClearField("model_spec")
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"):
        stub.Classify(without_model, timeout=SECONDS)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified."):
        stub.Regress(regress_request("", SWIFT), timeout=SECONDS)
    node.assert_unharmed()


def test_feature_of_the_wrong_kind_is_refused_by_the_model(node, stub):
    with refused(
        grpc.StatusCode.INVALID_ARGUMENT, re.compile("Data type: int64 but expected type: float")
    ):
        stub.Classify(classify_request("birds", example(wings=1)), timeout=SECONDS)
    node.assert_unharmed()


def test_rest_classify_answers_pairs_of_label_and_score(node):
    body = {
        "examples": [{"name": "swift", "wings": 2.5, "eggs": [2, 3]}, {"name": "gull"}],
    }
    response = node.rest.post("/v1/models/birds:classify", body)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.text == (
        '{\n    "results": [[["swift", 2.5], ["not a bird", 5.0]], '
        '[["gull", 0.0], ["not a bird", 0.0]]\n    ]\n}'
    )


def test_rest_regress_answers_numbers(node):
    body = {
        "signature_name": "regress",
        "context": {"eggs": 1},
        "examples": [{"wings": [2.5]}, {"wings": 0.5, "eggs": []}, {"eggs": [True, True]}],
    }
    # An empty list is of no kind, and hides what the context says.
    response = node.rest.post("/v1/models/birds/versions/1:regress", body)
    assert response.status_code == 200, response.text
    assert response.text == '{\n    "results": [6.0, 1.0, 2.0]\n}'


def test_rest_examples_carry_bytes_as_base64(node):
    name = bytes("Mauersegler é", "utf-8")
    body = {
        "signature_name": "classes_only",
        "examples": [{"name": {"b64": base64.b64encode(name).decode()}}],
    }
    response = node.rest.post("/v1/models/birds:classify", body)
    assert response.json() == {"results": [[["Mauersegler é", 0.0], ["not a bird", 0.0]]]}


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, re.compile("When method is classify, key 'examples' is expected and was not found$")),
        ({"examples": {}}, re.compile("Expecting 'examples' value to be an list/array$")),
        ({"examples": []}, re.compile("'examples' value is an empty array$")),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        (
            {"examples": [{"wings": [1.5, 1]}]},
            "Unexpected element type in feature: wings expecting type: float",
        ),
        (
            {"examples": [{"wings": None}]},
            "Feature: wings has element with unexpected JSON type: Null",
        ),
        ({"examples": [{}], "signature_name": "x"}, "No signature was found with the name: x"),
        (
            {"examples": [{}], "signature_name": 1},
            re.compile("'signature_name' key must be a string value"),
        ),
        ("{", re.compile("^JSON Parse error: .* at offset: 1$")),
    ],
)
def test_rest_requests_that_are_malformed_are_refused(node, verb, body, message):
    assert_rest_error(node.rest.post(f"/v1/models/birds:{verb}", body), 400, message)


def test_rest_requests_of_models_that_are_not_there_are_refused(node):
    body = {"examples": [{}]}
    assert_rest_error(
        node.rest.post("/v1/models/nope:classify", body),
        404,
        "Servable not found for request: Latest(nope)",
    )
    assert_rest_error(
        node.rest.post("/v1/models/birds/versions/7:regress", body),
        404,
        "Servable not found for request: Specific(birds, 7)",
    )
    assert_rest_error(
        node.rest.post("/v1/models/birds/labels/nope:classify", body),
        400,
        "Unrecognized servable version label: nope",
    )


def test_method_names_are_checked_when_the_operator_says_so(martlet):
    strict = martlet.serve(("half_plus_two", "birds", "legacy_examples"), "--check-method-names")
    stub = strict.grpc.prediction
    response = stub.Regress(regress_request("legacy_examples", SWIFT), timeout=SECONDS)
    assert values_of(response) == [10.0]
    with refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict",
    ):
        stub.Classify(classify_request("birds", SWIFT), timeout=SECONDS)
    assert_rest_error(
        strict.rest.predict(
            "legacy_examples", {"signature_name": "custom", "instances": [{"b64": ""}]}
        ),
        500,
        re.compile("Expected prediction signature method_name to be one of .* Was: my/own/method$"),
    )
    strict.assert_unharmed()


def test_metrics_count_examples_by_their_operation(node):
    stub = node.grpc.prediction
    before = {
        name: node.rest.metrics().total("martlet_requests_total", method=name, api="grpc")
        for name in ("classify", "regress", "multi_inference")
    }
    stub.Classify(classify_request("birds", SWIFT), timeout=SECONDS)
    stub.Regress(regress_request("birds", SWIFT, signature="regress"), timeout=SECONDS)
    tasks = [("legacy_examples", "", REGRESS)]
    stub.MultiInference(inference_request(tasks, SWIFT), timeout=SECONDS)
    after = node.rest.metrics()
    for name, count in before.items():
        assert after.total("martlet_requests_total", method=name, api="grpc") == count + 1


def test_requests_in_batches_are_each_answered_with_their_own_examples(martlet):
    node = martlet.serve(("half_plus_two", "birds"), "--enable-batching")
    calls = []
    for number in range(32):
        birds = [example(name=b"%d" % number, wings=float(number))] * (1 + number % 3)
        request = classify_request("birds", *birds)
        calls.append((number, node.grpc.prediction.Classify.future(request, timeout=SECONDS)))
    for number, call in calls:
        answer = [(str(number), float(number)), ("not a bird", 0.0)]
        assert classes_of(call.result()) == [answer] * (1 + number % 3)
    assert node.rest.metrics().total("martlet_batches_total", model="birds") > 0
    node.assert_unharmed()


BIRD_TASKS = [
    ("legacy_examples", "classify", CLASSIFY),
    ("legacy_examples", "", REGRESS),
]


def answers_of(response):
    classified, regressed = response.results
    return [
        ([c.label for c in e.classes], r.value)
        for e, r in zip(
            classified.classification_result.classifications,
            regressed.regression_result.regressions,
            strict=True,
        )
    ]


def test_multi_inference_waits_in_batches_with_others_and_is_counted_and_logged(martlet, tmp_path):
    node = martlet.serve(
        ("half_plus_two", "legacy_examples"),
        "--enable-batching",
        *("--monitoring-path", "/monitoring"),
        *("--log-requests", f"legacy_examples={tmp_path / 'requests'}"),
        *("--request-log-format", "json"),
    )
    calls = []
    for number in range(1, 17):
        bird = example(name=b"%d" % number, wings=float(number))
        stub = node.grpc.prediction
        several = stub.MultiInference.future(
            inference_request(BIRD_TASKS, *[bird] * number), timeout=SECONDS
        )
        alone = stub.Regress.future(regress_request("legacy_examples", bird), timeout=SECONDS)
        calls.append((number, several, alone))
    for number, several, alone in calls:
        assert (
            answers_of(several.result()) == [([str(number), "not a bird"], 2.0 * number)] * number
        )
        assert values_of(alone.result()) == [2.0 * number]
    rows = node.rest.metrics().total("martlet_batch_rows_sum", model="legacy_examples")
    assert rows == 2 * sum(range(1, 17)) + 16
    original = Samples(node.rest.get("/monitoring").text)
    runs = ":tensorflow:serving:runtime_latency_count"
    assert original.total(runs, model_name="legacy_examples", API="MultiInference") == 16
    statistics = node.rest.get("/v2/models/legacy_examples/stats").json()
    assert statistics["model_stats"][0]["inference_stats"]["success"]["count"] == 32
    node.stop()
    (path,) = tmp_path.glob("requests*")
    logged = [json.loads(line) for line in path.read_text().splitlines()]
    several = [log["multiInferenceLog"] for log in logged if "multiInferenceLog" in log]
    assert len(several) == 16
    for log in several:
        assert [result["modelSpec"]["signatureName"] for result in log["response"]["results"]] == [
            "classify",
            "serving_default",
        ]


def test_multi_inference_that_expires_in_the_queue_never_runs(martlet, tmp_path):
    parameters = tmp_path / "batching.config"
    # A batch that is never full: its requests wait until they expire.
    parameters.write_text(
        "max_batch_size { value: 64 } batch_timeout_micros { value: 60000000 }", encoding="utf-8"
    )
    node = martlet.serve(
        ("half_plus_two", "legacy_examples"), "--batching-parameters-file", parameters
    )
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        node.grpc.prediction.MultiInference(inference_request(BIRD_TASKS, SWIFT), timeout=1.0)

    def ended():
        # Which of the two depends on who is first, the client's cancellation or the deadline.
        samples = node.rest.metrics()
        return sum(
            samples.total("martlet_requests_total", method="multi_inference", code=code)
            for code in ("DEADLINE_EXCEEDED", "CANCELLED")
        )

    await_until(lambda: ended() == 1, "the request to be counted")
    assert node.rest.metrics().total("martlet_batches_total", model="legacy_examples") == 0
