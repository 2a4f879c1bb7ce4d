"""`martlet model list|load|unload|label` against a node that serves."""

import json

import pytest
from harness.models import (
    HALF_PLUS_THREE,
    add_version,
    empty_graph,
    fixture,
    model_folder,
)

ONE = {"instances": [1.0]}


@pytest.fixture
def half(tmp_path):
    """A model of versions 1 (x / 2 + 2) and 2 (x / 2 + 3)."""
    folder = model_folder(tmp_path / "models", "half")
    add_version(folder, 2, HALF_PLUS_THREE)
    return folder


@pytest.fixture
def node(martlet):
    return martlet.serve(("half_plus_two",))


@pytest.fixture
def model(martlet, node):
    """Runs `martlet model` against the node."""

    def run(*arguments, code=0, **options):
        ended = martlet.run("model", *arguments, "--address", node.address, **options)
        assert ended.returncode == code, ended.stderr
        assert bool(ended.stderr) == (code != 0), ended.stderr
        return ended.stderr if code else ended.stdout

    return run


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_models_are_loaded_labelled_listed_and_unloaded(node, model, half):
    shown = model("load", "half", "--path", half, "--versions", "latest:2", "--label", "stable=1")
    assert rows(shown) == [
        ["MODEL", "VERSION", "STATE", "LABELS", "POLICY", "PATH", "ENGINE", "WHY", "ERROR"],
        ["half", "1", "AVAILABLE", "stable", "latest:2", str(half), "tensorflow", "small", "-"],
        ["half", "2", "AVAILABLE", "-", "latest:2", str(half), "tensorflow", "small", "-"],
    ]
    assert len({line.find(str(half)) for line in shown.splitlines()[1:]}) == 1
    stable = "/v1/models/half/labels/stable:predict"
    assert node.rest.post(stable, ONE).json() == {"predictions": [2.5]}
    model("label", "half", "stable", "2")
    assert node.rest.post(stable, ONE).json() == {"predictions": [3.5]}
    model("label", "half", "stable", "--remove")
    assert node.rest.post(stable, ONE).status_code == 400
    listed = json.loads(model("list", "--json"))["models"]
    assert [(m["name"], m["labels"]) for m in listed] == [("half", {}), ("half_plus_two", {})]
    assert "no longer served" in model("unload", "half")
    assert node.rest.predict("half", ONE).status_code == 404
    assert [row[0] for row in rows(model("list"))] == ["MODEL", "half_plus_two"]
    model("load", "half", "--path", "half", "--versions", "1", cwd=half.parent)
    assert node.rest.predict("half", ONE).json() == {"predictions": [2.5]}


def test_refusals_are_told_by_words_and_exit_code(model, half):
    assert "'base_path' is missing" in model("load", "nothing", code=1)
    assert "There is no model 'nothing'" in model("unload", "nothing", code=1)
    assert "version 7" in model("label", "half_plus_two", "stable", "7", code=1)
    for version in ("1", "2"):
        empty_graph(half / version)
    assert "does not answer" in model("load", "half", "--path", half, code=1)


def test_version_that_fails_beside_one_that_answers_is_told(martlet, node, half):
    empty_graph(half / "2")
    ended = martlet.run(
        *("model", "load", "half", "--path", half, "--versions", "all"),
        *("--address", node.address),
    )
    assert ended.returncode == 1
    assert "Version 2 of 'half' failed to load" in ended.stderr
    assert [row[1:3] for row in rows(ended.stdout)[1:]] == [["1", "AVAILABLE"], ["2", "END"]]
    assert node.rest.predict("half", ONE).json() == {"predictions": [2.5]}


def test_node_that_does_not_answer_is_named(martlet):
    ended = martlet.run("model", "list", "--address", "127.0.0.1:1")
    assert ended.returncode == 69
    assert "127.0.0.1:1" in ended.stderr
    assert "--address" in ended.stderr


def test_key_is_shown_to_a_node_that_asks_for_one(martlet, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# who\noperator: key-of-the-operator\n", encoding="ascii")
    node = martlet.serve(("half_plus_two",), "--api-key-file", keys)
    address = ("--address", node.address)
    refusal = martlet.run("model", "list", *address)
    assert refusal.returncode == 77
    assert "--api-key-file" in refusal.stderr
    shown = martlet.run("model", "list", *address, "--api-key-file", keys)
    assert shown.returncode == 0, shown.stderr
    assert str(fixture("half_plus_two")) in shown.stdout


def test_admin_api_that_is_switched_off_is_told(martlet):
    node = martlet.serve(("half_plus_two",), "--admin-api", "none")
    refusal = martlet.run("model", "unload", "half_plus_two", "--address", node.address)
    assert refusal.returncode == 77
    assert "switched off" in refusal.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("load",),
        ("load", "half", "--versions", "some"),
        ("load", "half", "--label", "stable"),
        ("load", "half", "--label", "a=1", "--label", "a=2"),
        ("label", "half", "stable"),
        ("label", "half", "stable", "1", "--remove"),
        ("nope",),
    ],
    ids=" ".join,
)
def test_usage_error_exits_64(martlet, arguments):
    assert martlet.run("model", *arguments).returncode == 64


@pytest.mark.parametrize("command", [(), ("list",), ("load",), ("unload",), ("label",)])
def test_help_shows_examples(martlet, command):
    shown = martlet.run("model", *command, "--help")
    assert shown.returncode == 0
    assert "EXAMPLES" in shown.stdout
