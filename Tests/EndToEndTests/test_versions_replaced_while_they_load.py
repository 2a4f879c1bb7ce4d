"""A version whose folder is replaced or written over in the middle of a load.

What answers in the end is what lies in the folder in the end, or the load fails and says why; the
node lives and other models answer all the while.
"""

import os
import random
import shutil
import struct
import time

import pytest
from harness import models, onnx_models
from harness.clients import assert_unharmed
from harness.waiting import await_until

FLAGS = ("--poll-interval-seconds=0.05", "--engine=tensorflow")
ONE = {"instances": [1.0]}


@pytest.fixture
def big(tmp_path):
    """A folder that will hold a model of 64 MB, which takes a while to load."""
    folder = tmp_path / "models" / "big"
    folder.mkdir(parents=True)
    return folder


def swap(model, source):
    """Puts another version in the place of version 1: what lay there is gone at once."""
    staging, old = model.parent / "staging", model.parent / "old"
    shutil.copytree(source, staging)
    if (model / "1").exists():
        os.rename(model / "1", old)
    os.rename(staging, model / "1")
    shutil.rmtree(old, ignore_errors=True)


@pytest.mark.deadline(90)
def test_folder_replaced_in_the_middle_of_loads(martlet, big):
    node = martlet.serve(
        {"big": big, "half_plus_two": models.fixture("half_plus_two")}, *FLAGS, ready="live"
    )
    node.await_state("half_plus_two", 1, "AVAILABLE")
    chosen = random.Random(5)
    for _ in range(6):
        swap(big, models.BIG)
        # Somewhere in the load of the large one.
        time.sleep(chosen.uniform(0.05, 0.5))
        swap(big, models.HALF_PLUS_THREE)
        assert_unharmed(node)

        def settled():
            return node.rest.states("big").get(1) in ("AVAILABLE", "END")

        await_until(settled, "the load to end")
        if node.rest.states("big")[1] == "AVAILABLE":
            answers = (node.rest.predict("big", ONE), node.rest.predict("big", {"instances": [0]}))
            assert any(answer.status_code == 200 for answer in answers), answers[0].text
        else:
            error = node.rest.status("big")[1]["status"]
            assert error["error_code"] != "OK", error
            assert error["error_message"], error
        shutil.rmtree(big / "1")
        await_until(
            lambda: node.rest.states("big").get(1) in (None, "END"), "the version to be gone"
        )
    assert_unharmed(node)


@pytest.mark.deadline(60)
def test_files_cut_short_under_a_version_that_answers(martlet, tmp_path):
    """Engines that map files into memory must not die when a file is written over in place."""
    bodies = {
        "big": {"instances": [0, 1]},
        "big_tflite": {"instances": [0, 1]},
        "half_plus_two_tflite": ONE,
        "mean": {"inputs": [1.0]},
    }
    mean = onnx_models.mean_of_sums(1 << 20, "weights.bin")
    served = {"mean": onnx_models.model_folder(tmp_path, mean, "mean")}
    (served["mean"] / "1" / "weights.bin").write_bytes(struct.pack("<f", 1.0) * (1 << 20))
    for name in bodies.keys() - served.keys():
        served[name] = shutil.copytree(models.fixture(name), tmp_path / name)
    node = martlet.serve(
        served | {"half_plus_two": models.fixture("half_plus_two")},
        "--engine=big=tensorflow",
        "--poll-interval-seconds=30",
    )
    before = {name: node.rest.predict(name, body) for name, body in bodies.items()}
    assert {answer.status_code for answer in before.values()} == {200}, before
    for folder in served.values():
        for file in folder.rglob("*"):
            if file.is_file():
                os.truncate(file, 100)
    for name, body in bodies.items():
        assert node.rest.predict(name, body).text == before[name].text
    assert_unharmed(node)
