"""Language models run by OpenVINO GenAI, in a worker process of the node's."""

import contextlib
import json
import os
import signal

import openai
import pytest
from harness import genai, http1, language_models
from harness.genai import command_of, engine, worker_of
from harness.language_models import NAME
from harness.openai_clients import (
    STORY,
    chat,
    complete,
    function,
    schema_format,
    streamed_text,
    text_of,
    user,
)
from harness.prometheus import Samples
from harness.waiting import await_until

pytestmark = genai.needed

CHAT = "/v1/chat/completions"
FRANCE = "What is the capital of France?"
COUNT = "Count: 1, 2, 3, 4,"
ENGINE = ("--engine", f"{NAME}=openvino", "--kv-cache", "256MiB")


@pytest.fixture(scope="module")
def openvino_node(module_martlet):
    node = language_models.serve(module_martlet, *ENGINE)
    yield node
    node.assert_running()
    language_models.await_idle(node)


@pytest.fixture
def model(openvino_node):
    return openvino_node.openai


# What it does.


def test_the_engine_is_the_one_named(martlet, openvino_node):
    chosen = engine(martlet, openvino_node)
    assert (chosen["name"], chosen["reason"]) == ("openvino", "named")
    assert worker_of(openvino_node)


def test_a_chat_is_answered(model):
    answer = chat(model, FRANCE, max_tokens=32)
    assert "Paris" in text_of(answer)
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens <= 32


def test_a_stream_says_what_a_whole_answer_says(model):
    whole = chat(model, FRANCE)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chat(model, FRANCE, **options)
    assert streamed_text(chunks) == text_of(whole)
    assert len(chunks) > 4
    assert last.usage.completion_tokens == whole.usage.completion_tokens


def test_text_ends_at_a_stop_and_at_its_length(model):
    assert complete(model, COUNT, max_tokens=6).choices[0].finish_reason == "length"
    stopped = complete(model, COUNT, max_tokens=24, stop=["7"])
    assert stopped.choices[0].finish_reason == "stop"
    assert "5" in text_of(stopped)
    assert "7" not in text_of(stopped)


def test_several_choices_differ(model):
    answer = chat(model, STORY, n=2, temperature=1.5, seed=7, max_tokens=12)
    texts = [choice.message.content for choice in answer.choices]
    assert texts[0] != texts[1]


def test_a_seed_repeats_a_choice(model):
    """What is computed along with others, or comes from the cache, differs a little from what was
    computed alone: so alone, and all but the first time."""
    options = {"temperature": 1, "max_tokens": 12}
    _, first, again = (text_of(complete(model, COUNT, seed=7, **options)) for _ in range(3))
    assert first == again
    assert text_of(complete(model, COUNT, seed=8, **options)) != first


def test_the_prefix_cache_shows_in_the_usage(openvino_node, model):
    prompt = "A test of the cache. " + STORY * 4
    before, after = (complete(model, prompt, max_tokens=2).usage for _ in range(2))
    assert before.prompt_tokens_details.cached_tokens < 32
    assert after.prompt_tokens_details.cached_tokens >= 32
    assert after.prompt_tokens_details.cached_tokens < after.prompt_tokens
    samples = Samples(openvino_node.rest.get("/metrics").text)
    assert samples.total("martlet_prefix_cache_hit_tokens_total") >= 32


def test_log_probabilities_are_those_of_the_tokens(model):
    answer = chat(model, FRANCE, logprobs=True, max_tokens=4)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == text_of(answer)
    assert all(token.logprob <= 0 and token.top_logprobs == [] for token in tokens)


def test_penalties_change_the_text(model):
    plain = complete(model, "ha ha ha ha ha ha ha", max_tokens=12)
    other = complete(
        model, "ha ha ha ha ha ha ha", max_tokens=12, extra_body={"repetition_penalty": 2}
    )
    assert text_of(plain) != text_of(other)


def test_tools_are_told_of_without_a_grammar(model):
    answer = chat(model, FRANCE, tools=[function("get_time")], max_tokens=8)
    assert answer.choices[0].finish_reason


# What it does not do.


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"logit_bias": {"10": 5}}, "logit_bias"),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": schema_format({"type": "object"})}, "response_format"),
        ({"tools": [function("get_time")], "tool_choice": "required"}, "tool_choice"),
        ({"presence_penalty": 1, "extra_body": {"repeat_last_n": 5}}, "repeat_last_n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_cannot_do_is_refused_by_name(model, options, name):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(model, FRANCE, **options)
    assert name in refusal.value.message
    assert "--engine llama" in refusal.value.message


def test_embeddings_are_refused(model):
    with pytest.raises(openai.BadRequestError):
        model.embeddings.create(model=NAME, input="Hello")


# Clients and workers that go.


def test_a_client_that_goes_frees_its_sequence(openvino_node):
    body = {"model": NAME, "messages": [user(STORY)], "max_tokens": 1900, "ignore_eos": True}
    request = http1.post(CHAT, json.dumps({**body, "stream": True, "n": 2}).encode())
    with http1.RawConnection(openvino_node.address) as connection:
        connection.send(request)
        language_models.await_running(openvino_node, 2)
        assert connection.socket.recv(100)
    language_models.await_idle(openvino_node, 5)
    assert text_of(chat(openvino_node.openai, "Hello"))


@pytest.fixture
def own_node(martlet):
    """A node whose worker the test may end."""
    return language_models.serve(martlet, *ENGINE)


@pytest.mark.deadline(90)
def test_a_worker_that_is_killed_is_started_again(own_node):
    worker = worker_of(own_node)
    stream = iter(
        complete(
            own_node.openai,
            STORY,
            stream=True,
            max_tokens=1500,
            extra_body={"ignore_eos": True},
        )
    )
    assert next(stream).choices
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(openai.APIError) as end:
        list(stream)
    assert "try again" in end.value.message
    own_node.assert_running()
    # The next is refused until the model is loaded again.
    with pytest.raises(openai.InternalServerError) as refusal:
        chat(own_node.openai, "Hello")
    assert refusal.value.status_code == 503
    assert int(refusal.value.response.headers["Retry-After"]) >= 1

    def answered():
        with contextlib.suppress(openai.InternalServerError):
            return text_of(chat(own_node.openai, FRANCE, max_tokens=32))

    assert "Paris" in await_until(answered, "the worker to be started again", 60)
    assert worker_of(own_node) != worker


@pytest.mark.deadline(60)
def test_a_worker_does_not_outlive_its_node(own_node):
    worker = worker_of(own_node)
    own_node.ended_on_purpose = True
    own_node.send(signal.SIGKILL)
    own_node.wait()
    await_until(lambda: not command_of(worker), "the worker to end")


@pytest.mark.deadline(90)
def test_auto_tries_both_and_says_why(martlet):
    node = language_models.serve(martlet, *ENGINE, "--engine", f"{NAME}=auto")
    chosen = engine(martlet, node)
    assert chosen["reason"] in ("faster", "slower", "wrong")
    assert chosen["name"] == ("openvino" if chosen["reason"] == "faster" else "llama")
    assert bool(worker_of(node)) == (chosen["name"] == "openvino")
    assert "sequences" in chosen["detail"]
    assert "Paris" in text_of(chat(node.openai, FRANCE, max_tokens=32))
