"""LoRA adapters of SmolLM2 by the stock `openai` client, and adapters that are made to do harm."""

import concurrent.futures
import shutil

import numpy
import openai
import pytest
from harness import language_models, tiny_models
from harness.language_models import NAME
from harness.openai_clients import client_of, streamed_text

PROMPT = "The capital of France is"

# A little and a lot of other weights.
ADAPTERS = {"support": 0.05, "sales": 0.5}


def version_with(folder, adapters):
    """A version of SmolLM2 with adapters, which take seeds of their own."""
    version = folder / "1"
    (version / "adapters").mkdir(parents=True)
    shutil.copy(language_models.file(), version)
    for name, strength in adapters.items():
        path = version / "adapters" / f"{name}.gguf"
        tiny_models.adapter(path, strength=strength, seed=len(name))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return version_with(tmp_path_factory.mktemp("adapters") / NAME, ADAPTERS)


@pytest.fixture(scope="module")
def node(module_martlet, folder):
    node = language_models.serve(module_martlet, models={NAME: folder})
    yield node
    node.assert_running()


@pytest.fixture(scope="module")
def client(node):
    return node.client(client_of, node.address)


def told(client, model, **options):
    options = {"temperature": 0, "max_tokens": 12, "prompt": PROMPT, **options}
    answer = client.completions.create(model=model, **options)
    if options.get("stream"):
        return streamed_text(answer)
    assert answer.model == model
    return answer.choices[0].text


def test_an_adapter_is_a_model_of_its_own_name(node, client):
    listed = {model.id for model in client.models.list()}
    assert listed == {NAME, *ADAPTERS}
    texts = {model: told(client, model) for model in sorted(listed)}
    assert len(set(texts.values())) == 3, texts
    # What one request applied, another has not.
    assert {model: told(client, model) for model in sorted(listed, reverse=True)} == texts
    assert told(client, "support", stream=True) == texts["support"]


def test_an_adapter_is_asked_for_behind_its_model_and_version(client):
    text = told(client, "support")
    for name in (f"{NAME}:support", f"{NAME}:1:support"):
        assert told(client, name) == text
    for name in (f"{NAME}:2:support", f"{NAME}:1:none", "none", f"{NAME}:none"):
        with pytest.raises(openai.NotFoundError) as refusal:
            told(client, name)
        assert refusal.value.code == "model_not_found"


def test_all_are_served_at_once_and_mix_nothing(client):
    names = [NAME, *ADAPTERS]
    # Sums are added in another order in larger batches, so that a close choice may fall out
    # differently: an answer is right if it is one that the model gives when asked by itself.
    right = {name: {told(client, name)} for name in names}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for name in names:
            right[name].update(pool.map(lambda name: told(client, name), [name] * 6))
        answers = list(pool.map(lambda name: (name, told(client, name)), names * 4))
    assert sum(len(texts) for texts in right.values()) == len(set.union(*right.values()))
    found = [text in right[name] for name, text in answers]
    assert sum(found) >= len(found) - 2, answers


def test_a_prompt_is_not_shared_between_adapters(client):
    prompt = "The quick brown fox jumps over the lazy dog. " * 8

    def cached(model):
        usage = client.completions.create(
            model=model, prompt=prompt, max_tokens=1, temperature=0
        ).usage
        return usage.prompt_tokens_details.cached_tokens

    assert cached("support") == 0
    assert cached("sales") == 0
    assert cached("support") > 40


def test_an_adapter_is_there_before_its_model_is_loaded(martlet, folder):
    node = language_models.serve(martlet, "--load-on-demand", models={NAME: folder})
    client = node.client(client_of, node.address)
    assert {model.id for model in client.models.list()} == {NAME, *ADAPTERS}
    first = told(client, "support")
    assert first == told(client, "support")
    assert first != told(client, NAME)


def test_of_two_models_with_one_adapter_neither_wins(martlet, folder):
    node = language_models.serve(martlet, models={NAME: folder, "other": folder})
    client = node.client(client_of, node.address)
    with pytest.raises(openai.BadRequestError, match=f"other:support, {NAME}:support"):
        told(client, "support")
    assert told(client, "other:support") == told(client, f"{NAME}:support")
    listed = {model.id for model in client.models.list()}
    assert {"other:support", f"{NAME}:support"} <= listed
    assert "support" not in listed


# Adapters that would end the process, or are for another model: beside a model that takes no time.


def spoilt(**changes):
    sizes = {"architecture": "bert", "width": tiny_models.WIDTH, "layers": tiny_models.LAYERS}
    return lambda path: tiny_models.adapter(path, **{**sizes, **changes})


def cut(path):
    spoilt()(path)
    path.write_bytes(path.read_bytes()[:-100])


HOSTILE = {
    "alpha-of-64-bits": (
        spoilt(alpha=lambda w, key: w.add_float64(key, 4.0)),
        "adapter.lora.alpha",
    ),
    "alpha-of-text": (spoilt(alpha=lambda w, key: w.add_string(key, "4")), "adapter.lora.alpha"),
    "whole-numbers": (spoilt(numbers=numpy.int32), "is of I32"),
    "halves-that-differ": (spoilt(ranks=(4, 5)), "do not fit together"),
    "one-half": (spoilt(halves=["lora_a"]), "one half of a pair"),
    "no-lora": (spoilt(method="other"), "adapter.type"),
    "a-model": (spoilt(kind="model"), "not an adapter"),
    "another-architecture": (spoilt(architecture="llama"), "."),
    "another-width": (spoilt(width=96), "."),
    "another-place": (spoilt(place="nowhere"), "."),
    "cut": (cut, "."),
    "empty": (lambda path: path.write_bytes(b""), "."),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 64), "."),
}


def test_an_adapter_that_does_harm_is_refused_and_touches_nothing(martlet, tmp_path):
    served = {}
    for name, spoil in {"good": (spoilt(), None), **HOSTILE}.items():
        version = tmp_path / name / "1"
        (version / "adapters").mkdir(parents=True)
        tiny_models.bert(version / "model.gguf", tiny_models.MEAN)
        spoil[0](version / "adapters" / "kind.gguf")
        served[name] = version.parent
    node = martlet.serve(served, ready="live")
    for name, (_, complaint) in HOSTILE.items():
        node.await_state(name, 1, "END")
        message = node.rest.status(name)[1]["status"]["error_message"]
        assert "kind.gguf" in message
        assert complaint in message
    node.await_state("good", 1, "AVAILABLE")
    answer = node.rest.post("/v1/embeddings", {"model": "good", "input": "cat"})
    assert answer.status_code == 200, answer.text
