"""HandleReloadConfigRequest: what is served afterwards, and what a mistake leaves alone."""

import re
import shutil

import grpc
import pytest
from harness.clients import assert_rest_error, predict_request, refused
from harness.models import (
    HALF_PLUS_THREE,
    HALF_PLUS_TWO,
    add_version,
    fixture,
    model_folder,
    truncated_graph,
)
from harness.serving_api import model_management_pb2
from harness.tensors import array_of, tensor
from harness.waiting import await_until

SECONDS = 60
ONE = {"instances": [1.0]}


def config_of(models, labels=None, policy=None):
    """A request for models by name, with the labels and the policy for the first of them."""
    request = model_management_pb2.ReloadConfigRequest()
    for name, path in models.items():
        model = request.config.model_config_list.config.add()
        model.name = name
        model.base_path = str(path)
        model.model_platform = "tensorflow"
    # An empty list says that there are no models; no list would say nothing.
    request.config.model_config_list.SetInParent()
    for label, version in (labels or {}).items():
        request.config.model_config_list.config[0].version_labels[label] = version
    if policy:
        policy(request.config.model_config_list.config[0].model_version_policy)
    return request


def all_versions(policy):
    policy.all.SetInParent()


def reload(node, request):
    return node.grpc.models.HandleReloadConfigRequest(request, timeout=SECONDS)


@pytest.fixture
def half(tmp_path):
    """A model of versions 1 (x / 2 + 2) and 2 (x / 2 + 3)."""
    folder = model_folder(tmp_path / "models")
    add_version(folder, 2, HALF_PLUS_THREE)
    return folder


@pytest.fixture
def changeable(martlet, half):
    return martlet.serve({"half": half})


def test_new_models_answer_as_soon_as_the_reload_is_answered(changeable, half):
    response = reload(changeable, config_of({"half": half, "extra": fixture("multi_signature")}))
    assert response.status.error_code == 0
    assert changeable.rest.predict("extra", {"instances": [3.0]}).json() == {"predictions": [9.0]}
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def test_models_left_out_are_unloaded(changeable, half):
    reload(changeable, config_of({"extra": fixture("half_plus_two")}))
    assert changeable.rest.predict("extra", ONE).json() == {"predictions": [2.5]}
    await_until(lambda: not changeable.rest.status("half"), "half to be gone")
    assert_rest_error(
        changeable.rest.predict("half", ONE),
        404,
        "Servable not found for request: Latest(half)",
    )
    reload(changeable, config_of({}))
    await_until(lambda: not changeable.rest.status("extra"), "extra to be gone")
    reload(changeable, config_of({"half": half}))
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def test_version_policy_chooses_the_versions(changeable, half):
    reload(changeable, config_of({"half": half}, policy=all_versions))
    changeable.await_state("half", 1, "AVAILABLE")
    assert changeable.rest.predict("half", ONE, version=1).json() == {"predictions": [2.5]}
    reload(
        changeable,
        config_of({"half": half}, policy=lambda policy: policy.specific.versions.append(1)),
    )
    changeable.await_state("half", 2, "END")
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [2.5]}


def test_labels_name_versions_and_move_between_them(changeable, half):
    reload(changeable, config_of({"half": half}, policy=all_versions))
    changeable.await_state("half", 1, "AVAILABLE")
    labels = {"stable": 1, "canary": 2}
    reload(changeable, config_of({"half": half}, labels, all_versions))
    for label, value, version in (("stable", 2.5, 1), ("canary", 3.5, 2)):
        answer = changeable.rest.post(f"/v1/models/half/labels/{label}:predict", ONE)
        assert answer.json() == {"predictions": [value]}
        request = predict_request("half", {"x": tensor("float", [1.0])})
        request.model_spec.version_label = label
        response = changeable.grpc.prediction.Predict(request, timeout=SECONDS)
        assert array_of(response.outputs["y"]).tolist() == [value]
        assert response.model_spec.version.value == version
        status = changeable.rest.get(f"/v1/models/half/labels/{label}").json()
        assert [v["version"] for v in status["model_version_status"]] == [str(version)]
    reload(changeable, config_of({"half": half}, {"stable": 2}, all_versions))
    assert changeable.rest.post("/v1/models/half/labels/stable:predict", ONE).json() == {
        "predictions": [3.5]
    }
    assert_rest_error(
        changeable.rest.post("/v1/models/half/labels/canary:predict", ONE),
        400,
        "Unrecognized servable version label: canary",
    )


def test_label_of_a_version_that_does_not_answer_is_refused_and_changes_nothing(changeable, half):
    message = (
        "Request to assign label to version 9 of model half, which is not currently available "
        "for inference"
    )
    with refused(grpc.StatusCode.FAILED_PRECONDITION, message):
        reload(changeable, config_of({"half": half, "extra": fixture("matrix")}, {"next": 9}))
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [3.5]}
    assert changeable.rest.status("extra") == {}


def test_label_of_a_version_that_is_to_come_is_taken_when_the_operator_says_so(martlet, half):
    node = martlet.serve({"half": half}, "--allow-labels-of-unavailable-versions")
    reload(node, config_of({"half": half}, {"next": 3}))
    assert_rest_error(
        node.rest.post("/v1/models/half/labels/next:predict", ONE),
        404,
        "Servable not found for request: Specific(half, 3)",
    )
    add_version(half, 3, HALF_PLUS_TWO)
    node.await_state("half", 3, "AVAILABLE")
    assert node.rest.post("/v1/models/half/labels/next:predict", ONE).json() == {
        "predictions": [2.5]
    }
    # It is in use now, and must not lead nowhere.
    with refused(grpc.StatusCode.FAILED_PRECONDITION, re.compile("version 4 of model half")):
        reload(node, config_of({"half": half}, {"next": 4}))


def test_bad_models_are_named_and_hold_nothing_up(changeable, half, tmp_path):
    bad = model_folder(tmp_path / "models", "bad")
    truncated_graph(bad / "1")
    models = {
        "bad": bad,
        "gone": tmp_path / "nowhere",
        "half": half,
        "good": fixture("multi_signature"),
    }
    with refused(
        grpc.StatusCode.UNKNOWN,
        re.compile(
            r"^2 model\(s\) did not become available: \{\{\{name: bad version: 1\} due to error: "
            r".*\}, \{\{name: gone\} due to error: NOT_FOUND: Could not list base path "
        ),
    ):
        reload(changeable, config_of(models))
    assert changeable.rest.predict("good", {"instances": [3.0]}).json() == {"predictions": [9.0]}
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [3.5]}
    # A later reload is not held up either, and a model that is mended is served by itself.
    assert reload(changeable, config_of(models)).status.error_code == 0
    shutil.rmtree(bad / "1")
    add_version(bad, 2, HALF_PLUS_TWO)
    changeable.await_state("bad", 2, "AVAILABLE")


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        (
            lambda half: model_management_pb2.ReloadConfigRequest(),
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported",
        ),
        (
            lambda half: config_of({"half": "models/half"}),
            "Expected model half to have an absolute path or URI; got base_path()=models/half",
        ),
        (
            lambda half: twice(config_of({"half": half})),
            "Illegal to list model half multiple times in config list",
        ),
        (
            lambda half: with_platform(config_of({"half": half}), "caffe"),
            "Model half requests unsupported platform caffe",
        ),
        (
            lambda half: with_platform(config_of({"half": half}), ""),
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform.",
        ),
    ],
)
def test_mistakes_are_refused_and_change_nothing(changeable, half, request_of, message):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, message):
        reload(changeable, request_of(half))
    assert changeable.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def twice(request):
    request.config.model_config_list.config.append(request.config.model_config_list.config[0])
    return request


def with_platform(request, platform):
    request.config.model_config_list.config[0].model_platform = platform
    return request


def test_counters_that_are_asked_for_are_answered_with_their_increase(changeable, half):
    changeable.rest.predict("half", ONE)
    request = config_of({"half": half, "extra": fixture("multi_signature")})
    attempts = "/tensorflow/cc/saved_model/load_attempt_count"
    request.metric_names.extend([attempts, "martlet_requests_total", "/no/such/counter"])
    response = reload(changeable, request)
    increases = {metric.name: metric.int64_value_increase for metric in response.metric}
    assert increases == {attempts: 1, "martlet_requests_total": 0, "/no/such/counter": 0}
