"""Models are run by the engine that suits them or that the operator names, and say why."""

import json

import pytest
from harness import models, onnx_models
from harness.prometheus import Samples
from harness.tensors import tensor

ONE = {"instances": [1.0]}


def engines(martlet, node):
    """The engine of each model's only version."""
    ended = martlet.run("model", "list", "--json", "--address", node.address)
    return {
        model["name"]: model["versions"][0].get("engine")
        for model in json.loads(ended.stdout)["models"]
    }


def test_a_small_model_stays_with_tensorflow_and_says_why(martlet):
    node = martlet.serve(("half_plus_two",))
    engine = engines(martlet, node)["half_plus_two"]
    assert (engine["name"], engine["precision"]) == ("tensorflow", "exact")
    assert engine["reason"] == "small"
    assert engine["detail"]
    labels = {"model": "half_plus_two", "engine": "tensorflow", "reason": "small"}
    samples = Samples(node.rest.get("/metrics").text)
    assert samples.total("martlet_engine_info", **labels) == 1


@pytest.mark.deadline(90)
def test_a_larger_model_is_tried_in_both(martlet):
    """Which is faster, and how near the answers are, depends on the machine: what was measured is
    said, and only what is right and faster is chosen."""
    node = martlet.serve({"pitch": models.DEMO})
    engine = engines(martlet, node)["pitch"]
    assert engine["reason"] in ("faster", "slower", "wrong")
    assert engine["name"] == ("openvino" if engine["reason"] == "faster" else "tensorflow")
    assert (engine["error"] > 1e-4) == (engine["reason"] == "wrong")
    if engine["reason"] == "wrong":
        return
    assert engine["speedup"] > 0
    samples = Samples(node.rest.get("/metrics").text)
    assert samples.total("martlet_engine_speedup_ratio", model="pitch") == engine["speedup"]


def test_the_operator_names_the_engine_of_all_models_and_of_one(martlet):
    node = martlet.serve(
        ("half_plus_two", "multi_signature", "strings"),
        "--engine=openvino",
        "--engine=strings=tensorflow",
    )
    found = engines(martlet, node)
    assert {name: engine["name"] for name, engine in found.items()} == {
        "half_plus_two": "openvino",
        "multi_signature": "openvino",
        "strings": "tensorflow",
    }
    assert all(engine["reason"] == "named" for engine in found.values())
    assert node.rest.predict("half_plus_two", ONE).json() == {"predictions": [2.5]}
    total = {"signature_name": "total", "inputs": {"values": [1, 2, 3]}}
    assert node.rest.predict("multi_signature", total).json() == {"outputs": 6.0}
    assert node.grpc.predict("half_plus_two", {"x": tensor("float", [4.0])}) is not None
    wrong = node.rest.predict("half_plus_two", {"instances": [[1.0, 2.0]]})
    assert wrong.status_code == 400
    assert "OpenVINO" in wrong.json()["error"]


def test_a_model_that_the_named_engine_cannot_load_fails_with_the_reason(martlet):
    node = martlet.serve(("strings", "half_plus_two"), "--engine=openvino", ready="live")
    node.await_state("half_plus_two", 1, "AVAILABLE")
    node.await_state("strings", 1, "END")
    message = node.rest.status("strings")[1]["status"]["error_message"]
    assert "OpenVINO cannot serve tensor 'length'" in message or "of type string" in message


@pytest.mark.parametrize("flag", ["--engine=bird", "--engine=m=bird", "--precision=bird"])
def test_an_engine_that_there_is_not_is_refused_at_the_start(martlet, flag):
    ended = martlet.run("serve", "--model=m=/tmp", flag)
    assert ended.returncode == 64
    assert "bird" in ended.stderr


def test_an_onnx_model_is_served(martlet, tmp_path):
    folder = onnx_models.model_folder(tmp_path, onnx_models.half_plus_two())
    node = martlet.serve({"half": folder})
    assert node.rest.predict("half", {"instances": [1.0, 2.0, 5.0]}).json() == {
        "predictions": [2.5, 3.0, 4.5]
    }
    assert engines(martlet, node)["half"]["name"] == "openvino"
    metadata = node.rest.get("/v1/models/half/metadata").json()
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"


def test_an_onnx_model_may_keep_weights_beside_itself_and_nowhere_else(martlet, tmp_path):
    inside = onnx_models.model_folder(
        tmp_path, onnx_models.half_plus_two({"location": "weights", "offset": "0", "length": "4"})
    )
    (inside / "1" / "weights").write_bytes(b"\x00\x00\x00\x40")
    node = martlet.serve({"half": inside})
    assert node.rest.predict("half", ONE).json() == {"predictions": [2.5]}


@pytest.mark.parametrize("location", ["/etc/passwd", "../../weights", "absent"])
def test_an_onnx_model_that_reaches_out_of_its_folder_is_refused(martlet, tmp_path, location):
    (tmp_path / "weights").write_bytes(bytes(4))
    folder = onnx_models.model_folder(tmp_path, onnx_models.half_plus_two({"location": location}))
    node = martlet.serve({"half": folder}, ready="live")
    node.await_state("half", 1, "END")
    status = node.rest.status("half")[1]["status"]
    assert status["error_code"] == "INVALID_ARGUMENT"
    assert "not in the model's folder" in status["error_message"]


def test_an_onnx_model_cut_short_is_refused(martlet, tmp_path):
    content = onnx_models.half_plus_two()
    folder = onnx_models.model_folder(tmp_path, content[: len(content) // 2])
    node = martlet.serve({"half": folder}, ready="live")
    node.await_state("half", 1, "END")
    assert "cannot be read" in node.rest.status("half")[1]["status"]["error_message"]


def test_an_onnx_model_is_served_without_tensorflow(martlet, tmp_path):
    folder = onnx_models.model_folder(tmp_path, onnx_models.half_plus_two())
    node = martlet.serve({"half": folder}, "--engine=openvino", "--tensorflow-path=/does/not/exist")
    assert node.rest.predict("half", ONE).json() == {"predictions": [2.5]}
