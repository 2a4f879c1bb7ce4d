"""Embeddings by the stock `openai` client, from small encoders that llama.cpp really runs."""

import base64
import concurrent.futures
import contextlib
import os

import numpy
import openai
import pytest
from harness import tiny_models
from harness.openai_clients import assert_openai_error, client_of
from harness.waiting import await_until

TEXTS = ["the cat sat on the mat", "paris", "what is the capital of france?", "a dog and a cat"]

# Whatever the file says of it, or does not say, an encoder embeds.
ENCODERS = {
    "mean": lambda path: tiny_models.bert(path, tiny_models.MEAN),
    "first": lambda path: tiny_models.bert(path, tiny_models.FIRST),
    "without-pooling": tiny_models.bert,
    "without-a-word": lambda path: tiny_models.bert(path, causal=None),
    "t5encoder": lambda path: tiny_models.t5(path, decodes=False),
}


def made(folder, makers):
    """The models of a node, each made in a folder of its own."""
    served = {}
    for name, make in makers.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        make(version / "model.gguf")
        served[name] = version.parent
    return served


@pytest.fixture(scope="module")
def node(module_martlet, tmp_path_factory):
    node = module_martlet.serve(made(tmp_path_factory.mktemp("encoders"), ENCODERS))
    yield node
    node.assert_running()


@pytest.fixture(scope="module")
def client(node):
    return node.client(client_of, node.address)


def vectors_of(client, model, texts, **options):
    answer = client.embeddings.create(model=model, input=texts, **options)
    assert answer.model == model
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return numpy.array([item.embedding for item in answer.data])


@pytest.mark.parametrize("model", ENCODERS)
def test_a_text_is_a_direction_of_its_own(client, model):
    vectors = vectors_of(client, model, TEXTS)
    assert vectors.shape == (len(TEXTS), tiny_models.WIDTH)
    numpy.testing.assert_allclose(numpy.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    likeness = vectors @ vectors.T - numpy.eye(len(TEXTS))
    assert likeness.max() < 0.999
    again = vectors_of(client, model, TEXTS)
    numpy.testing.assert_array_equal(vectors, again)


@pytest.mark.parametrize("model", ENCODERS)
def test_texts_together_are_as_each_alone(client, model):
    # More than are computed at once.
    texts = [f"{TEXTS[place % 4]} {place}" for place in range(70)]
    together = vectors_of(client, model, texts)
    alone = numpy.concatenate([vectors_of(client, model, [text]) for text in texts[:6]])
    # Sums of other batches are in another order, and some of them of 16 bits.
    likeness = alone @ together.T
    assert numpy.diag(likeness).min() > 0.9999
    assert likeness.argmax(axis=1).tolist() == list(range(6))


@pytest.mark.parametrize("model", ["mean", "first", "t5encoder"])
def test_requests_at_once_get_the_vectors_of_their_own_texts(node, model):
    # Of one text, of some, and of more than are computed at once.
    requests = [
        [f"{TEXTS[(place + text) % 4]} {place} {text}" for text in range(1 + place * place % 40)]
        for place in range(24)
    ]
    # A client is for one thread.
    clients = [node.client(client_of, node.address) for _ in requests]

    def counted(name):
        return node.rest.metrics().total(name, model=model, version="1")

    alone = [vectors_of(clients[0], model, texts) for texts in requests]
    before = counted("martlet_prompt_tokens_total")
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        for _ in range(3):
            asked = [
                pool.submit(vectors_of, client, model, texts)
                for client, texts in zip(clients, requests, strict=True)
            ]
            for answer, expected in zip(asked, alone, strict=True):
                vectors = answer.result()
                assert vectors.shape == expected.shape
                # Sums of other batches are in another order, and some of them of 16 bits.
                likeness = (vectors * expected).sum(axis=1)
                assert likeness.min() > 1 - 1e-4
    tokens = [
        clients[0].embeddings.create(model=model, input=texts).usage.prompt_tokens
        for texts in requests
    ]
    assert counted("martlet_prompt_tokens_total") - before == 4 * sum(tokens)
    assert counted("martlet_sequences_running") == counted("martlet_sequences_waiting") == 0


@contextlib.contextmanager
def on_one_processor():
    """What is started meanwhile has one event loop."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def test_requests_share_batches_though_other_models_batch_too(martlet, tmp_path):
    """Small requests to models that batch are read by event loops, which must not wait for vectors:
    on one loop they would be computed one by one."""
    served = made(tmp_path, {"mean": ENCODERS["mean"]})
    with on_one_processor():
        node = martlet.serve(served, "--enable-batching", "--engine-threads", 8)
    clients = [node.client(client_of, node.address) for _ in range(8)]

    def steps():
        return node.rest.metrics().total("martlet_generation_steps_total", model="mean")

    def are_shared():
        before = steps()
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            answers = pool.map(lambda client: vectors_of(client, "mean", TEXTS), clients)
            assert len(list(answers)) == len(clients)
        return steps() - before < len(clients)

    await_until(are_shared, "requests to share a batch")


def test_numbers_come_as_they_are_asked_for(node, client):
    whole = vectors_of(client, "mean", TEXTS, encoding_format="float")
    answer = node.rest.post(
        "/v1/embeddings", {"model": "mean", "input": TEXTS, "encoding_format": "base64"}
    ).json()
    raw = [base64.b64decode(item["embedding"]) for item in answer["data"]]
    numpy.testing.assert_allclose([numpy.frombuffer(data, "<f4") for data in raw], whole, atol=1e-6)
    short = vectors_of(client, "mean", TEXTS, dimensions=16)
    cut = whole[:, :16] / numpy.linalg.norm(whole[:, :16], axis=1, keepdims=True)
    numpy.testing.assert_allclose(short, cut, atol=1e-5)
    with pytest.raises(openai.BadRequestError, match="have 64"):
        vectors_of(client, "mean", TEXTS, dimensions=65)


def test_tokens_are_as_good_as_text(node, client):
    answer = node.rest.post(
        "/tokenize", {"model": "mean", "content": TEXTS[0], "add_special": True}
    )
    tokens = answer.json()["tokens"]
    by_text = client.embeddings.create(model="mean", input=TEXTS[0])
    by_tokens = client.embeddings.create(model="mean", input=tokens)
    assert by_text.data[0].embedding == by_tokens.data[0].embedding
    assert by_text.usage.prompt_tokens == by_text.usage.total_tokens == len(tokens)
    with pytest.raises(openai.BadRequestError, match="has token 1000000; the model's") as refusal:
        client.embeddings.create(model="mean", input=["cat", [10**6]])
    assert refusal.value.param == "input[1]"


def test_tokens_that_no_model_has_spoil_no_texts_of_others(node):
    """Texts of requests at once share batches: one that cannot be computed is not in them."""

    def ask(place):
        client = node.client(client_of, node.address)
        texts = [f"{TEXTS[(place + text) % 4]} {place} {text}" for text in range(20)]
        for _ in range(5):
            if place % 2:
                with pytest.raises(openai.BadRequestError, match="has token"):
                    client.embeddings.create(model="mean", input=[*texts, [10**6]])
            else:
                assert vectors_of(client, "mean", texts).shape == (20, tiny_models.WIDTH)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for _ in pool.map(ask, range(16)):
            pass


def test_a_text_that_is_too_long_is_named(client):
    with pytest.raises(openai.BadRequestError) as refusal:
        client.embeddings.create(model="mean", input=["cat", "cat " * tiny_models.CONTEXT])
    assert refusal.value.code == "context_length_exceeded"
    assert refusal.value.param == "input[1]"
    assert "reads 128 at once" in str(refusal.value)


def test_tokens_of_texts_are_counted(node, client):
    def counted(name):
        return node.rest.metrics().total(name, model="first", version="1")

    before = counted("martlet_prompt_tokens_total")
    steps = counted("martlet_generation_steps_total")
    usage = client.embeddings.create(model="first", input=TEXTS * 20).usage
    assert counted("martlet_prompt_tokens_total") - before == usage.prompt_tokens > 0
    assert counted("martlet_generation_steps_total") - steps > 1
    assert counted("martlet_sequences_running") == counted("martlet_sequences_waiting") == 0


def test_an_encoder_generates_nothing(client):
    for name in ENCODERS:
        with pytest.raises(openai.BadRequestError) as refusal:
            client.completions.create(model=name, prompt="Hello")
        assert refusal.value.code == "model_not_supported"


def test_a_model_that_generates_makes_no_vectors(language_node):
    answer = language_node.rest.post("/v1/embeddings", {"model": "smollm2", "input": "Hello"})
    assert_openai_error(answer, 400, "model_not_supported")


# What would end the process, or mean nothing.

REFUSED = {
    "t5": (lambda path: tiny_models.t5(path, decodes=True), "'t5', an encoder with a decoder"),
    "wide": (
        lambda path: tiny_models.bert(path, tiny_models.MEAN, embedding_length_out=4096),
        "'bert.embedding_length_out' is 4096",
    ),
    "odd": (
        lambda path: tiny_models.bert(path, tiny_models.MEAN, pooling_type=77),
        "'bert.pooling_type' is 77",
    ),
}


def test_a_model_of_another_kind_is_refused_and_touches_nothing(martlet, tmp_path):
    makers = {name: make for name, (make, _) in REFUSED.items()}
    served = made(tmp_path, {"mean": ENCODERS["mean"], **makers})
    node = martlet.serve(served, ready="live")
    for name, (_, complaint) in REFUSED.items():
        node.await_state(name, 1, "END")
        assert complaint in node.rest.status(name)[1]["status"]["error_message"]
    node.await_state("mean", 1, "AVAILABLE")
    vectors_of(node.client(client_of, node.address), "mean", TEXTS)
