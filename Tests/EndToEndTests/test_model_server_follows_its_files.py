"""Files of models that change while a server runs, and versions that come, break and are mended."""

import shutil

import pytest
from harness import models
from harness.model_server import config_file, text_file
from harness.prometheus import Samples
from harness.waiting import await_until

METRICS = "/monitoring/prometheus/metrics"
ATTEMPTS = ":tensorflow:cc:saved_model:load_attempt_count"
ONE = {"instances": [1.0]}


@pytest.fixture
def half(tmp_path):
    """A model of versions 1 (x / 2 + 2) and 2 (x / 2 + 3)."""
    folder = models.model_folder(tmp_path / "models", "half")
    models.add_version(folder, 2, models.HALF_PLUS_THREE)
    return folder


def logged(server, *words):
    return [line for line in server.log_lines() if all(word in line for word in words)]


def answer(server, path):
    return server.rest.post(f"/v1/models/{path}:predict", ONE).json().get("predictions")


@pytest.mark.deadline(60)
def test_file_of_models_is_followed_and_its_mistakes_disturb_nothing(
    tensorflow_model_server, tmp_path, half
):
    server = tensorflow_model_server(
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models",
        models={"half": half},
    )
    file = tmp_path / "models.config"
    assert answer(server, "half") == [3.5]

    labels = "version_labels { key: 'stable' value: 1 } version_labels { key: 'new' value: 2 }"
    config_file(
        file,
        {
            "half": (half, "model_version_policy { all {} } " + labels),
            "extra": models.fixture("multi_signature"),
        },
    )
    await_until(lambda: logged(server, "model config file applied"), "the change to be applied")
    server.await_state("half", 1, "AVAILABLE")
    assert answer(server, "extra") == [1.0]
    assert answer(server, "half/labels/stable") == [2.5]
    assert answer(server, "half/labels/new") == [3.5]

    for mistake in ("model_config_list { config {", "model_config_list { config { name: 'x' } }"):
        told, applied = (len(logged(server, f"file {what}")) for what in ("not applied", "applied"))
        text_file(file, mistake)
        await_until(
            lambda told=told: len(logged(server, "model config file not applied")) > told,
            "the mistake to be told",
        )
        assert len(logged(server, "file applied")) == applied
        assert answer(server, "extra") == [1.0]
        assert answer(server, "half/labels/stable") == [2.5]

    config_file(file, {"extra": models.fixture("multi_signature")})
    await_until(lambda: server.rest.states("half") == {}, "half to be gone")
    assert answer(server, "extra") == [1.0]


def test_version_that_fails_is_tried_again_as_often_as_the_flags_say_and_when_it_is_mended(
    tensorflow_model_server, tmp_path, half
):
    models.truncated_graph(half / "2")
    monitoring = text_file(
        tmp_path / "monitoring.config", f"prometheus_config {{ enable: true path: '{METRICS}' }}"
    )
    server = tensorflow_model_server(
        "--max_num_load_retries=2",
        "--load_retry_interval_micros=1000",
        f"--monitoring_config_file={monitoring}",
        models={"half": half},
        ready="live",
    )

    def failures():
        samples = Samples(server.rest.get(METRICS).text)
        return samples.total(ATTEMPTS, model_path=str(half / "2"), status="fail")

    await_until(lambda: failures() == 3, "all attempts")
    server.await_state("half", 2, "END")
    assert answer(server, "half") == [2.5]
    shutil.copy(models.HALF_PLUS_THREE / "saved_model.pb", half / "2" / "saved_model.pb")
    server.await_state("half", 2, "AVAILABLE")
    assert answer(server, "half") == [3.5]
    assert failures() == 3


def test_versions_are_looked_for_once_when_the_flag_says_so(tensorflow_model_server, half):
    shutil.rmtree(half / "2")
    server = tensorflow_model_server(
        "--file_system_poll_wait_seconds=0",
        "--model_config_file_poll_wait_seconds=1",
        models={"half": half},
    )
    models.add_version(half, 2, models.HALF_PLUS_THREE)
    # The file says nothing new about `half`: that it was read is no reason to look for versions.
    file = server.log.parent / "models.config"
    text_file(file, "model_config_list {")
    await_until(lambda: logged(server, "model config file not applied"), "the file to be read")
    assert server.rest.states("half") == {1: "AVAILABLE"}


def test_new_version_is_served_and_the_old_one_ends(tensorflow_model_server, half):
    shutil.rmtree(half / "2")
    server = tensorflow_model_server(models={"half": half})
    models.add_version(half, 2, models.HALF_PLUS_THREE)
    server.await_state("half", 2, "AVAILABLE")
    server.await_state("half", 1, "END")
    assert answer(server, "half") == [3.5]


def test_model_whose_folder_comes_later_is_served(tensorflow_model_server, tmp_path):
    server = tensorflow_model_server(models={"late": tmp_path / "late"}, ready="live")
    assert server.rest.predict("late", ONE).status_code == 404
    models.model_folder(tmp_path, "late")
    server.await_state("late", 1, "AVAILABLE")
    assert answer(server, "late") == [2.5]


@pytest.mark.deadline(60)
def test_serve_follows_a_file_of_models_too(martlet, tmp_path, half):
    policy = "model_version_policy { specific { versions: 1 } }"
    file = config_file(tmp_path / "models.config", {"half": (half, policy)})
    node = martlet.serve(
        {},
        f"--model-config-file={file}",
        "--poll-interval-seconds=0.2",
        "--allow-labels-of-unavailable-versions",
    )
    assert answer(node, "half") == [2.5]
    text_file(file, "model_config_list { config {")
    await_until(lambda: logged(node, "file not applied"), "the mistake to be told")
    assert answer(node, "half") == [2.5]
    label = "version_labels { key: 'new' value: 2 }"
    config_file(file, {"half": (half, label), "extra": models.fixture("multi_signature")})
    await_until(lambda: answer(node, "half/labels/new") == [3.5], "the change to be applied")
    await_until(lambda: answer(node, "extra") == [1.0], "the new model")


def test_serve_takes_models_from_a_file_or_from_flags(martlet, tmp_path, half):
    file = config_file(tmp_path / "models.config", {"half": half})
    both = martlet.run("serve", f"--model=half={half}", f"--model-config-file={file}")
    assert both.returncode == 64
    assert "not by both" in both.stderr
    broken = text_file(tmp_path / "broken.config", "model_config_list {\n  config { nam: 'x' } }")
    refusal = martlet.run("serve", f"--model-config-file={broken}", "--port=0")
    assert refusal.returncode == 64, refusal.stderr
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig: 2:" in refusal.stderr


def test_label_of_a_version_that_is_not_there_waits_for_it(tensorflow_model_server, tmp_path):
    """With the original the start fails."""
    half = models.model_folder(tmp_path / "models", "half")
    labels = "version_labels { key: 'stable' value: 1 } version_labels { key: 'next' value: 2 }"
    policy = "model_version_policy { all {} } "
    server = tensorflow_model_server(models={"half": (half, policy + labels)})
    assert answer(server, "half/labels/stable") == [2.5]
    refusal = server.rest.post("/v1/models/half/labels/next:predict", ONE)
    assert refusal.status_code in (400, 404), refusal.text
    models.add_version(half, 2, models.HALF_PLUS_THREE)
    await_until(lambda: answer(server, "half/labels/next") == [3.5], "version 2 to answer")
