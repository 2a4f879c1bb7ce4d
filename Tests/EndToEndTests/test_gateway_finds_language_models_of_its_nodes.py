"""Nodes of one pool that serve different language models: bodies are answered by who has theirs."""

import itertools

import pytest
from harness.language_models import FOLDER
from harness.openai_clients import assert_openai_error, chat
from harness.policies import follow, pool

pytestmark = pytest.mark.deadline(120)


@pytest.fixture(scope="module")
def nodes(module_martlet):
    """Two nodes, each with a language model that the other does not have."""
    flags = ("--engine", "llama", "--context-tokens", 512, "--kv-cache", "64MiB")
    return [module_martlet.serve({name: FOLDER}, *flags) for name in ("left", "right")]


@pytest.mark.parametrize(
    "settings",
    [
        {"balancing": "round_robin"},
        {"balancing": "prefix_aware"},
        {"balancing": "least_request"},
    ],
    ids=lambda settings: settings["balancing"],
)
def test_each_chat_goes_to_the_node_that_has_its_model(martlet, nodes, settings):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, **settings)]})
    for model in itertools.islice(itertools.cycle(["left", "right"]), 40):
        answer = chat(gateway.openai, "Say hello.", model=model, max_tokens=1)
        assert answer.model == model
    # No node was asked in vain.
    samples = gateway.admin.metrics()
    assert samples.total("martlet_gateway_requests_total", code="200") == 40
    assert samples.total("martlet_gateway_retries_total") == 0


@pytest.mark.parametrize(
    "routes",
    [
        [{"name": "all", "cache": True}],
        [{"name": "named", "match": {"models": ["left", "right"]}}, {"name": "all"}],
    ],
    ids=["cached", "by model"],
)
def test_versions_are_found_by_every_route(martlet, nodes, routes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes)], "routes": routes})
    for turn in range(10):
        for model in ("left", "right:1", "left:1", "right"):
            answer = chat(gateway.openai, f"Say {turn}.", model=model, max_tokens=1)
            assert answer.model == model


def test_streams_and_the_tokenizer_find_their_model(martlet, nodes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing="round_robin")]})
    for model in ("left", "right") * 5:
        stream = chat(gateway.openai, "Hi", model=model, max_tokens=2, stream=True)
        assert {chunk.model for chunk in stream} == {model}
        answer = gateway.rest.post("/tokenize", {"model": model, "content": "a b"})
        assert answer.status_code == 200, answer.text


def test_a_model_that_nobody_has_is_told_of_by_a_node(martlet, nodes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes)]})
    body = {"model": "none", "messages": [{"role": "user", "content": "x"}]}
    answer = gateway.rest.post("/v1/chat/completions", body)
    assert_openai_error(answer, 404, "model_not_found")
