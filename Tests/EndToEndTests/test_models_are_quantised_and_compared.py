"""`martlet model quantize` on SmolLM2, a real language model."""

import json
import os
import signal
import subprocess

import pytest
from harness import gguf
from harness.paths import BINARY, from_environment
from harness.waiting import await_until

LLAMA = from_environment("MARTLET_LLAMA_PATH", ".engines/llama")
MODELS = from_environment("MARTLET_LLM_MODELS", ".models")
SOURCE = MODELS / "smollm2-135m"
ENVIRONMENT = {"MARTLET_LLAMA_PATH": str(LLAMA)}

needs_llama = pytest.mark.skipif(
    not (LLAMA / "libmartlet_llama.so").exists() or not SOURCE.exists(),
    reason="scripts/setup.sh llama llm-models makes llama.cpp and SmolLM2",
)


@pytest.fixture
def quantize(martlet):
    """Runs `martlet model quantize`."""

    def run(*arguments, code=0, seconds=100):
        ended = martlet.run(
            "model", "quantize", *arguments, environment=ENVIRONMENT, seconds=seconds
        )
        assert ended.returncode == code, ended.stderr
        return ended

    return run


@needs_llama
@pytest.mark.deadline(240)
def test_model_is_written_and_measured(quantize, tmp_path):
    target = tmp_path / "smollm2"
    ended = quantize(
        *(SOURCE, target, "--type", "q4_0", "--allow-requantize", "--threads", 1, "--json"),
        seconds=230,
    )
    told = json.loads(ended.stdout)
    file = target / "1" / "model.gguf"
    assert told["after"]["path"] == str(file)
    assert told["after"]["bytes"] == file.stat().st_size
    assert (told["before"]["type"], told["after"]["type"]) == ("Q4_0", "Q4_0")
    # The same type again changes little.
    assert told["top1_agreement"] > 0.9
    assert told["after"]["perplexity"] == pytest.approx(told["before"]["perplexity"], rel=0.1)
    assert 2 < told["before"]["perplexity"] < 40
    assert told["text_tokens"] > 300
    for form in (told["before"], told["after"]):
        assert form["prefill_tokens_per_second"] > form["decode_tokens_per_second"] > 0
    assert "measuring" in ended.stderr
    assert sorted(path.name for path in target.rglob("*")) == ["1", "model.gguf"]


@needs_llama
@pytest.mark.deadline(120)
def test_slow_type_is_warned_of_and_the_table_is_aligned(quantize, tmp_path):
    target = tmp_path / "slow.gguf"
    ended = quantize(
        SOURCE, target, "--type", "Q4_1", "--allow-requantize", "--no-report", "--threads", 1
    )
    assert "Q4_1 has no fast kernel on processors" in ended.stderr
    assert "0.45 x" in ended.stderr
    assert "100 %" in ended.stderr
    head, before, after, change = ended.stdout.splitlines()
    assert head.split() == ["TYPE", "SIZE", "PERPLEXITY", "PREFILL/S", "DECODE/S", "FILE"]
    assert after.split()[:2] == ["after", "Q4_1"]
    assert change.split()[0] == "change"
    assert head.index("FILE") == before.index(str(SOURCE)) == after.index(str(target))
    assert target.exists()


@needs_llama
@pytest.mark.deadline(120)
def test_interrupted_command_leaves_nothing(tmp_path):
    target = tmp_path / "models"
    command = (
        *(BINARY, "model", "quantize", SOURCE, target, "--type", "Q3_K_M", "--threads", "1"),
        *("--allow-requantize", "--no-report"),
    )
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
    ) as process:
        try:
            await_until(target.exists, "the command to begin", 60)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "nothing was written" in told
    assert list(target.iterdir()) == []


def test_quantised_models_are_taken_only_when_allowed(quantize, tmp_path):
    source = tmp_path / "tiny.gguf"
    source.write_bytes(gguf.tiny(file_type=2))
    refusal = quantize(source, tmp_path / "out.gguf", "--type", "Q8_0", code=64)
    assert "quantised already, as Q4_0" in refusal.stderr
    assert "--allow-requantize" in refusal.stderr
    assert not (tmp_path / "out.gguf").exists()


def test_nothing_is_overwritten(quantize, tmp_path):
    source = tmp_path / "in" / "1" / "tiny.gguf"
    source.parent.mkdir(parents=True)
    source.write_bytes(gguf.tiny())
    for target in (source, source.parent):
        refusal = quantize(source, target, "--type", "Q8_0", code=1)
        assert "nothing is overwritten" in refusal.stderr
    assert source.read_bytes() == gguf.tiny()


def test_what_is_no_model_never_reaches_the_engine(quantize, tmp_path):
    source = tmp_path / "tiny.gguf"
    source.write_bytes(gguf.tiny()[:-1])
    assert "tiny.gguf" in quantize(source, tmp_path / "o.gguf", "--type", "Q8_0", code=1).stderr
    source.write_bytes(b"GGUF")
    quantize(source, tmp_path / "o.gguf", "--type", "Q8_0", code=1)
    assert "no" in quantize(tmp_path / "none", tmp_path / "o.gguf", "--type", "F16", code=1).stderr


def test_missing_library_says_how_to_install_it(martlet, tmp_path):
    source = tmp_path / "tiny.gguf"
    source.write_bytes(gguf.tiny())
    refusal = martlet.run(
        *("model", "quantize", source, tmp_path / "o.gguf", "--type", "Q8_0"),
        *("--llama-path", "/nonexistent"),
    )
    assert refusal.returncode == 69
    assert "scripts/setup.sh llama" in refusal.stderr
    assert not (tmp_path / "o.gguf").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.gguf", "b.gguf"),
        ("a.gguf", "--type", "Q4_0"),
        ("a.gguf", "b.gguf", "--type", "Q9"),
        ("a.gguf", "b.gguf", "--type", "Q4_0", "--threads", "-1"),
    ],
    ids=" ".join,
)
def test_usage_error_exits_64(martlet, arguments):
    assert martlet.run("model", "quantize", *arguments).returncode == 64


def test_help_shows_examples_and_types(martlet):
    shown = martlet.run("model", "quantize", "--help")
    assert shown.returncode == 0
    assert "EXAMPLES" in shown.stdout
    assert "Q4_K_M" in shown.stdout
