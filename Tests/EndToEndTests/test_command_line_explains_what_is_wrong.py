"""A command that cannot run says why in words and by its exit code."""

import json

import pytest
from harness.models import fixture

HALF_PLUS_TWO = f"--model=half_plus_two={fixture('half_plus_two')}"


def test_missing_tensorflow_says_how_to_install_it(martlet):
    refusal = martlet.run("serve", HALF_PLUS_TWO, "--port", 0, "--tensorflow-path", "/nonexistent")
    assert refusal.returncode == 69, refusal.stderr
    assert "/nonexistent" in refusal.stderr
    assert "install" in refusal.stderr.lower()


def test_missing_tensorflow_is_found_through_the_environment_too(martlet):
    refusal = martlet.run(
        *("serve", HALF_PLUS_TWO, "--port", 0),
        environment={"MARTLET_TENSORFLOW_PATH": "/nonexistent"},
    )
    assert refusal.returncode == 69, refusal.stderr
    assert "/nonexistent" in refusal.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", HALF_PLUS_TWO, "--port", "bird"),
        ("serve", HALF_PLUS_TWO, "--port", "65536"),
        ("serve", HALF_PLUS_TWO, "--nope"),
        ("serve", "--model", "no-equals-sign"),
        ("serve",),
        ("gateway",),
        ("gateway", "--endpoint", "no-port"),
        ("nope",),
    ],
    ids=" ".join,
)
def test_usage_error_exits_64(martlet, arguments):
    refusal = martlet.run(*arguments)
    assert refusal.returncode == 64, refusal.stderr
    assert refusal.stderr


@pytest.mark.parametrize("command", [(), ("serve",), ("gateway",), ("up",), ("status",)])
def test_help_exits_0(martlet, command):
    shown = martlet.run(*command, "--help")
    assert shown.returncode == 0
    assert "USAGE" in shown.stdout


def test_help_lists_every_command_and_explains_each(martlet):
    shown = martlet.run("--help").stdout
    listed = shown[shown.index("SUBCOMMANDS:") :]
    for command in ("serve", "model-server", "gateway", "up", "status", "model", "doctor", "certs"):
        assert f"\n  {command} " in listed
        help_of_it = martlet.run("help", command)
        assert help_of_it.returncode == 0, help_of_it.stderr
        assert f"USAGE: martlet {command} " in help_of_it.stdout
    assert "--model_config_file_poll_wait_seconds" in martlet.run("help", "model-server").stdout


def test_port_in_use_is_named(martlet, node):
    refusal = martlet.run("serve", HALF_PLUS_TWO, "--port", node.port)
    assert refusal.returncode not in (0, 64)
    assert str(node.port) in refusal.stderr
    node.assert_unharmed()


def test_errors_at_start_are_json_lines_or_plain_words_but_not_both(martlet):
    refusal = martlet.run("serve", HALF_PLUS_TWO, "--tensorflow-path", "/nonexistent")
    lines = refusal.stderr.splitlines()
    objects = [line for line in lines if line.startswith("{")]
    for line in objects:
        json.loads(line)
    assert any("/nonexistent" in line for line in lines)
