"""GGUF models: keys, labels, metrics, and files or libraries that are not as they should be."""

import struct

import openai
import pytest
from harness import language_models, models
from harness.language_models import NAME
from harness.openai_clients import STORY, chat, client_of, complete, text_of
from harness.prometheus import Samples

KEY = "key-of-alice-0123456789"


@pytest.fixture(scope="module")
def guarded(module_martlet, tmp_path_factory):
    """A node that wants a key, whose model's version 1 is called `stable`."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"alice: {KEY}\n", encoding="ascii")
    node = language_models.serve(
        module_martlet,
        *("--api-key-file", keys, "--max-sequences", 4, "--kv-cache", "64MiB"),
    )
    labelled = module_martlet.run(
        *("model", "label", NAME, "stable", "1"),
        *("--address", node.address, "--api-key-file", keys),
    )
    assert labelled.returncode == 0, labelled.stderr
    yield node
    node.assert_running()


@pytest.fixture(scope="module")
def alice(guarded):
    return guarded.client(lambda address: client_of(address, KEY), guarded.address)


def test_a_key_opens_the_api(guarded, alice):
    assert text_of(chat(alice, "Hello"))
    assert [model.id for model in alice.models.list()] == [NAME]
    for key in ("wrong", "none"):
        stranger = guarded.client(lambda address, key=key: client_of(address, key), guarded.address)
        with pytest.raises(openai.AuthenticationError) as refusal:
            chat(stranger, "Hello")
        assert refusal.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            next(iter(chat(stranger, "Hello", stream=True)))


def test_a_model_is_asked_for_by_version_and_label(alice):
    plain = text_of(chat(alice, "Hello"))
    for name in (f"{NAME}:1", f"{NAME}:stable"):
        answer = chat(alice, "Hello", model=name)
        assert (answer.model, text_of(answer)) == (name, plain)
    for name in (f"{NAME}:2", f"{NAME}:canary", f"{NAME}:"):
        with pytest.raises(openai.NotFoundError) as refusal:
            chat(alice, "Hello", model=name)
        assert refusal.value.code == "model_not_found"


def test_what_is_generated_is_measured(guarded, alice):
    def measured():
        headers = {"X-API-Key": KEY}
        return Samples(guarded.rest.get("/metrics", headers=headers).text)

    before = measured()
    uses = [complete(alice, STORY, max_tokens=10).usage for _ in range(2)]
    after = measured()

    def grown(name, **labels):
        return after.total(name, **labels) - before.total(name, **labels)

    labels = {"model": NAME, "version": "1"}
    assert grown("martlet_prompt_tokens_total", **labels) == sum(u.prompt_tokens for u in uses)
    assert grown("martlet_generated_tokens_total", **labels) == 20
    cached = sum(use.prompt_tokens_details.cached_tokens for use in uses)
    assert grown("martlet_prefix_cache_hit_tokens_total", **labels) == cached > 0
    assert grown("martlet_time_to_first_token_seconds_count", model=NAME) == 2
    assert grown("martlet_inter_token_latency_seconds_count", model=NAME) == 18
    assert grown("martlet_generation_queue_seconds_count", model=NAME) == 2
    for name in ("martlet_time_to_first_token_seconds", "martlet_inter_token_latency_seconds"):
        assert 0 < grown(f"{name}_sum", model=NAME) < 20
    assert 0 < after.total("martlet_kv_cache_usage_ratio", **labels) <= 1
    assert after.total("martlet_sequences_running", **labels) == 0
    assert after.total("martlet_sequences_waiting", **labels) == 0


# Files that are broken, or made to do harm.


def string(text):
    return struct.pack("<Q", len(text)) + text


def header(tensors=0, pairs=0, rest=b"", magic=b"GGUF", version=3):
    return magic + struct.pack("<IQQ", version, tensors, pairs) + rest


def deep_array(levels):
    return string(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * levels


FILES = {
    "truncated": lambda: language_models.file().read_bytes()[: 40 << 20],
    "truncated_in_its_header": lambda: language_models.file().read_bytes()[:2000],
    "empty": lambda: b"",
    "of_another_kind": lambda: header(magic=b"GGML"),
    "of_another_version": lambda: header(version=99),
    "of_too_many_tensors": lambda: header(tensors=2**62),
    "of_too_many_pairs": lambda: header(pairs=2**63),
    "of_a_long_name": lambda: header(pairs=1, rest=struct.pack("<Q", 2**63) + b"x"),
    "of_a_long_array": lambda: header(
        pairs=1, rest=string(b"a") + struct.pack("<IIQ", 9, 8, 2**61)
    ),
    "of_deep_arrays": lambda: header(pairs=1, rest=deep_array(100_000)),
    "of_no_known_type": lambda: header(pairs=1, rest=string(b"a") + struct.pack("<I", 77)),
    "of_no_architecture": lambda: header(),
}


@pytest.fixture(scope="module")
def node_of_broken_models(module_martlet, tmp_path_factory):
    """A node with one good model and each broken one."""
    folder = tmp_path_factory.mktemp("broken")
    served = {"half_plus_two": models.fixture("half_plus_two")}
    for name, content in FILES.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        (version / "model.gguf").write_bytes(content())
        served[name] = version.parent
    return module_martlet.serve(served, ready="live")


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_refused_with_the_reason(node_of_broken_models, name):
    node = node_of_broken_models
    node.await_state(name, 1, "END")
    status = node.rest.status(name)[1]["status"]
    assert status["error_code"] in ("INVALID_ARGUMENT", "DATA_LOSS", "FAILED_PRECONDITION")
    assert "gguf" in status["error_message"].lower()
    client = node.client(client_of, node.address)
    with pytest.raises(openai.NotFoundError):
        chat(client, "Hello", model=name)
    node.assert_unharmed()


def test_a_node_without_the_engine_names_what_sets_it_up(martlet, tmp_path):
    served = {NAME: language_models.FOLDER, "half_plus_two": models.fixture("half_plus_two")}
    node = language_models.serve(
        martlet, models=served, ready="live", environment={"MARTLET_LLAMA_PATH": str(tmp_path)}
    )
    node.await_state(NAME, 1, "END")
    message = node.rest.status(NAME)[1]["status"]["error_message"]
    assert "scripts/setup.sh llama" in message
    assert str(tmp_path) in message
    node.await_state("half_plus_two", 1, "AVAILABLE")
    node.assert_unharmed()


def test_a_model_for_tensors_is_no_language_model(node_of_broken_models):
    node = node_of_broken_models
    node.await_state("half_plus_two", 1, "AVAILABLE")
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(node.openai, "Hello", model="half_plus_two")
    assert refusal.value.code == "model_not_supported"
    answer = node.rest.predict("half_plus_two", {"instances": [1.0]})
    assert answer.json() == {"predictions": [2.5]}
