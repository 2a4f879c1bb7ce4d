"""A model server that cannot start says why in the original's words, and exits with 255."""

import subprocess

import pytest
from harness.model_server import linked, text_file
from harness.models import fixture

MODEL = f"--model_base_path={fixture('half_plus_two')}"


def refused(martlet, *flags):
    refusal = martlet.run("model-server", *flags)
    assert refusal.returncode == 255, refusal.stderr
    assert refusal.stdout == ""
    return refusal.stderr


@pytest.mark.parametrize("flags", [("--version",), ("--version=true",), ("--version", "true")])
def test_version_is_printed_and_nothing_else_is_done(martlet, flags):
    shown = martlet.run("model-server", *flags)
    assert shown.returncode == 0, shown.stderr
    ours, engine = shown.stdout.splitlines()
    assert ours.startswith("Martlet ModelServer: ")
    assert engine.startswith("TensorFlow Library: 2.")


def test_name_of_the_program_makes_it_a_model_server(tmp_path):
    shown = subprocess.run(
        [linked(tmp_path), "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "--model_config_file_poll_wait_seconds" in shown.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((MODEL, "--nope"), "unknown argument: --nope"),
        ((MODEL, "nope"), "unknown argument: nope"),
        ((MODEL, "--rest-api-port=1"), "did you mean --rest_api_port?"),
        ((MODEL, "--rest_api_prot=1"), "did you mean --rest_api_port?"),
        ((MODEL, "--port"), "--port needs a value: --port=VALUE"),
        ((MODEL, "--port", "bird"), "bird"),
        ((MODEL, "--port=65536"), "--port is 65536; use 0 up to 65535"),
        ((MODEL, "--port=-1"), "--port is -1; use 0 up to 65535"),
        ((MODEL, "--rest_api_port=70000"), "--rest_api_port is 70000"),
        ((MODEL, "--rest_api_timeout_in_ms=0"), "--rest_api_timeout_in_ms is 0"),
        ((MODEL, "--enable_batching=perhaps"), "perhaps for flag enable_batching"),
        ((MODEL, "--per_process_gpu_memory_fraction=2"), "--per_process_gpu_memory_fraction is"),
        (
            (MODEL, "--port=0"),
            "At least one of server_options.grpc_port or server_options.grpc_socket_path "
            "must be set.",
        ),
        (
            ("--port=1",),
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            (MODEL, "--batching_parameters_file=/nonexistent"),
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true.",
        ),
        (
            (MODEL, "--enable_batching", "--batching_parameters_file=/nonexistent"),
            "/nonexistent; No such file or directory",
        ),
        (("--model_config_file=/nonexistent",), "/nonexistent; No such file or directory"),
        (
            (
                MODEL,
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ),
            "You cannot configure all.",
        ),
        (
            (MODEL, "--use_alts_credentials", "--ssl_config_file=/nonexistent"),
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        ((MODEL, "--grpc_channel_arguments=grpc.so_reuseaddr"), "write KEY=VALUE,KEY=VALUE"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_mistakes_in_flags_are_named(martlet, flags, message):
    assert message in refused(martlet, *flags)


@pytest.mark.parametrize(
    ("flag", "message_name", "content", "reason"),
    [
        ("model_config_file", "ModelServerConfig", "improperly formatted file", "1:"),
        (
            "model_config_file",
            "ModelServerConfig",
            "model_config_list {\n  config { base_bath: 'x' }\n}\n",
            'has no field named "base_bath"',
        ),
        ("model_config_file", "ModelServerConfig", "model_config_list {\n  config {\n", ""),
        ("monitoring_config_file", "MonitoringConfig", "prometheus_config { on: true }", "1:"),
        ("ssl_config_file", "SSLConfig", "server_keys: 'x'", "1:"),
        ("batching_parameters_file", "BatchingParameters", "max_batch_size: 128", "1:"),
        ("platform_config_file", "PlatformConfigMap", "platforms {}", "1:"),
    ],
)
def test_mistakes_in_files_are_named_with_their_place(
    martlet, tmp_path, flag, message_name, content, reason
):
    file = text_file(tmp_path / "file.config", content)
    flags = [] if flag == "model_config_file" else [MODEL]
    flags += ["--enable_batching"] if flag == "batching_parameters_file" else []
    message = refused(martlet, *flags, "--rest_api_port=1", f"--{flag}={file}")
    start = "Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: "
    assert f"{start}'{file}'" in message
    assert f"Error parsing text-format tensorflow.serving.{message_name}: " in message
    assert reason in message
    assert len(message.splitlines()) == 1


def test_models_that_cannot_be_configured_are_named(martlet, tmp_path):
    for content, message in (
        ("custom_model_config { type_url: 'x/y' }", "does not yet support custom model config"),
        (
            "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'caffe' } }",
            "Model m requests unsupported platform caffe",
        ),
        (
            "model_config_list {"
            " config { name: 'm' base_path: 'm' model_platform: 'tensorflow' } }",
            "Expected model m to have an absolute path or URI; got base_path()=m",
        ),
    ):
        file = text_file(tmp_path / "models.config", content)
        assert message in refused(martlet, f"--model_config_file={file}")
