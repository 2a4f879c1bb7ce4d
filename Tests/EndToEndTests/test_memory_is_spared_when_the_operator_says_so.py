"""Versions that take turns in memory, and models that are loaded when somebody asks."""

import concurrent.futures
import json

from harness import models
from harness.tensors import array_of, tensor
from harness.waiting import await_until

ONE = {"instances": [1.0]}
MANY = 8


def events(node, *messages):
    """What a node logged of its models, in order: message, model, version."""
    told = [json.loads(line) for line in node.log_lines() if line.startswith("{")]
    return [
        (line["msg"], line["model"], line["version"]) for line in told if line["msg"] in messages
    ]


def test_model_is_loaded_once_when_many_ask_for_it_first(martlet):
    node = martlet.serve(("half_plus_two", "matrix"), "--load-on-demand")
    assert node.rest.states("half_plus_two") == {1: "START"}
    inputs = {"x": tensor("float", [1.0])}
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(node.grpc.predict, "half_plus_two", inputs) for _ in range(MANY)]
        answers = [array_of(future.result(20).outputs["y"]).tolist() for future in asked]
    assert answers == [[2.5]] * MANY
    assert events(node, "model loaded") == [("model loaded", "half_plus_two", "1")]
    assert node.rest.states("matrix") == {1: "START"}


def test_model_used_least_recently_makes_room_for_the_next(martlet):
    folders = {name: models.fixture("big") for name in ("robin", "swift")}
    node = martlet.serve(
        folders | {"half_plus_two": models.fixture("half_plus_two")},
        "--load-on-demand",
        *("--memory-budget", "100MiB"),
    )
    for name in ("robin", "swift", "robin"):
        assert node.rest.get(f"/v1/models/{name}/metadata").status_code == 200
        node.await_state(name, 1, "AVAILABLE")
        other = {"robin": "swift", "swift": "robin"}[name]
        assert node.rest.states(other) == {1: "START"}
    loads = events(node, "model loaded", "model unloaded")
    assert [(message.removeprefix("model "), name) for message, name, _ in loads] == [
        ("loaded", "robin"),
        ("unloaded", "robin"),
        ("loaded", "swift"),
        ("unloaded", "swift"),
        ("loaded", "robin"),
    ]


def swapped(martlet, tmp_path, policy):
    """The loads and unloads of a swap from version 1 to 2."""
    half = models.model_folder(tmp_path, "half")
    node = martlet.serve(
        {"half": half}, "--transition-policy", policy, "--poll-interval-seconds", "0.1"
    )
    models.add_version(half, 2, models.HALF_PLUS_THREE)
    node.await_state("half", 2, "AVAILABLE")
    assert node.rest.predict("half", ONE).json() == {"predictions": [3.5]}

    def ended():
        told = events(node, "model loaded", "model unloaded")
        return told if len(told) == 3 else None

    return [
        (message.removeprefix("model "), version)
        for message, _, version in await_until(ended, "the old version to be unloaded")
    ]


def test_old_version_goes_first_when_resources_come_first(martlet, tmp_path):
    swap = swapped(martlet, tmp_path, "resource-preserving")
    assert swap == [("loaded", "1"), ("unloaded", "1"), ("loaded", "2")]


def test_new_version_comes_first_otherwise(martlet, tmp_path):
    swap = swapped(martlet, tmp_path, "availability-preserving")
    assert swap == [("loaded", "1"), ("loaded", "2"), ("unloaded", "1")]
