"""Each bad request to OpenAI's API is refused in OpenAI's form, in time, and the next is served."""

import contextlib
import functools
import json

import openai
import pytest
from harness import language_models
from harness.clients import RestClient
from harness.language_models import CONTEXT_TOKENS, NAME
from harness.openai_clients import assert_openai_error, chat, function, schema_format, user
from harness.waiting import await_until

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
HELLO = {"model": NAME, "messages": [user("Hello")], "max_tokens": 1}

# How often each bad request is sent where it is timed.
REFUSALS = 8

# What takes a build for debugging, by which tests run, eight times as long as one for use.
LARGE = {"10,000 messages"}

# Fields, and the code and the field that the error names.
BAD_CHATS = {
    "unknown role": ({"messages": [{"role": "bird", "content": "x"}]}, "invalid_value"),
    "no messages": ({"messages": []}, "empty_array"),
    "10,000 messages": ({"messages": [user("x")] * 10_000}, "array_above_max_length"),
    "messages of text": ({"messages": ["x"]}, "invalid_type"),
    "no content": ({"messages": [{"role": "user"}]}, "missing_required_parameter"),
    "an image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "invalid_value",
    ),
    "negative temperature": ({"temperature": -1}, "invalid_value"),
    "huge temperature": ({"temperature": 1e308}, "invalid_value"),
    "temperature of text": ({"temperature": "hot"}, "invalid_type"),
    "negative max_tokens": ({"max_tokens": -1}, "invalid_value"),
    "max_tokens of 2^63": ({"max_tokens": 2**63}, "invalid_value"),
    "a fraction of tokens": ({"max_tokens": 1.5}, "invalid_value"),
    "no choices": ({"n": 0}, "invalid_value"),
    "a million choices": ({"n": 1_000_000}, "invalid_value"),
    "top_p above 1": ({"top_p": 1.5}, "invalid_value"),
    "top_k below -1": ({"top_k": -2}, "invalid_value"),
    "min_p below 0": ({"min_p": -0.5}, "invalid_value"),
    "huge penalty": ({"frequency_penalty": 100}, "invalid_value"),
    "too many logprobs": ({"logprobs": True, "top_logprobs": 1000}, "invalid_value"),
    "empty stop": ({"stop": [""]}, "invalid_value"),
    "too many stops": ({"stop": ["x"] * 1000}, "array_above_max_length"),
    "a bias of a word": ({"logit_bias": {"bird": 1}}, "invalid_value"),
    "a bias beyond bounds": ({"logit_bias": {"1": 1000}}, "invalid_value"),
    "unknown form": ({"response_format": {"type": "xml"}}, "invalid_value"),
    "call of no tool": ({"tool_choice": "required"}, "invalid_value"),
    "usage without stream": ({"stream_options": {"include_usage": True}}, "invalid_value"),
}


@pytest.mark.parametrize("name", BAD_CHATS)
def test_a_bad_field_is_named(language_node, name):
    fields, code = BAD_CHATS[name]
    answer = language_node.rest.post(CHAT, {**HELLO, **fields})
    message = assert_openai_error(answer, 400, code)
    param = answer.json()["error"]["param"]
    assert param.split("[")[0].split(".")[0] in fields
    assert param.split(".")[-1] in message


def test_refusals_cost_the_node_less_than_five_milliseconds(martlet):
    """By the node's own clock, from a request's first byte to the last of the refusal.

    Of a few times that each is asked, the best counts: the machine's other work makes the others.
    """
    node = language_models.serve(martlet, access_log=True)
    refused = {name: (CHAT, {**HELLO, **fields}) for name, (fields, _) in BAD_CHATS.items()}
    for path in (CHAT, COMPLETIONS):
        refused |= {f"{path} {name}": (path, body) for name, body in BAD_BODIES.items()}
    asked = [request for request in refused.values() for _ in range(REFUSALS)]
    for path, body in asked:
        node.rest.post(path, body)

    def seconds():
        lines = [json.loads(line) for line in node.log_lines() if '"martlet.access"' in line]
        return [line["duration_seconds"] for line in lines if 400 <= line.get("status", 0) < 500]

    await_until(lambda: len(seconds()) >= len(asked), "all refusals to be logged")
    timed = seconds()
    groups = [timed[start : start + REFUSALS] for start in range(0, len(timed), REFUSALS)]
    best = dict(zip(refused, map(min, groups), strict=True))
    slow = {name: time for name, time in best.items() if time >= 0.005}
    assert slow.keys() <= LARGE, slow
    assert not slow or max(slow.values()) < 0.5, slow


BAD_BODIES = {
    "nothing": b"",
    "not JSON": b"nope",
    "cut off": b'{"model": "smollm2", "messages": [',
    "invalid UTF-8": b'{"model": "smollm2", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "half a surrogate": b'{"model":"smollm2","messages":[{"role":"user","content":"\\ud800"}]}',
    "a list": b"[]",
    "infinity": b'{"model": "smollm2", "messages": [], "temperature": 1e400}',
    "deep": b'{"model": ' + b"[" * 100_000,
    "a field twice": b'{"model": "smollm2", "model": "smollm2", "messages": []}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, "/v1/embeddings", "/tokenize"])
def test_a_body_that_is_no_request_is_refused(language_node, path, name):
    answer = language_node.rest.post(path, BAD_BODIES[name])
    assert_openai_error(answer, 400, answer.json()["error"]["code"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e400"])
def test_what_is_no_number_is_refused(language_node, number):
    fields = json.dumps(HELLO)[:-1]
    answer = language_node.rest.post(CHAT, f'{fields}, "temperature": {number}}}')
    assert_openai_error(answer, 400, answer.json()["error"]["code"])


@pytest.mark.parametrize(
    "prompt",
    ["", [], [[]], [""], [-1], [10**12], [49_152], ["x"] * 1000, {"a": 1}, ["x", 1], None],
    ids=lambda prompt: repr(prompt)[:20],
)
def test_a_bad_prompt_is_refused(language_node, prompt):
    answer = language_node.rest.post(COMPLETIONS, {"model": NAME, "prompt": prompt})
    assert_openai_error(answer, 400, answer.json()["error"]["code"])


def test_a_prompt_over_the_context_is_told_both_numbers(language_model):
    words = 3 * CONTEXT_TOKENS
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(language_model, "bird " * words)
    assert refusal.value.code == "context_length_exceeded"
    assert refusal.value.param == "messages"
    assert f" {CONTEXT_TOKENS};" in refusal.value.message
    prompt_tokens = int(refusal.value.message.split("the prompt has ")[1].split()[0])
    assert words <= prompt_tokens < words + 50


def test_a_model_that_there_is_not_is_named(language_model):
    with pytest.raises(openai.NotFoundError) as refusal:
        chat(language_model, "Hello", model="nope")
    assert refusal.value.code == "model_not_found"
    assert "'nope'" in refusal.value.message


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, "/v1/embeddings", "/tokenize"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_refused_in_the_form_of_the_api(language_node, method, path):
    rest = language_node.rest
    answer = rest.session.request(method, rest.url + path, timeout=60)
    message = assert_openai_error(answer, 404, "method_not_found")
    assert "POST" in message


# Schemas that cost too much, or lead nowhere. Those that a grammar can be made of may be answered.


def nested(levels, wrap):
    return functools.reduce(lambda inner, _: wrap(inner), range(levels), {"type": "integer"})


def tuple_of(schemas):
    return {"type": "array", "prefixItems": schemas}


def pattern(text):
    return {"type": "string", "pattern": text}


SCHEMAS = {
    "deep": nested(300, lambda inner: {"type": "array", "items": inner}),
    "of itself": {"$ref": "#"},
    "of itself by another": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "of itself twice": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}},
    },
    "of another host": {"$ref": "http://127.0.0.1:9/schema.json"},
    "of nothing": {"$ref": "#/nope"},
    "a thousand million letters": {"type": "string", "minLength": 10**9, "maxLength": 10**9},
    "a million items": {"type": "array", "items": {"type": "integer"}, "minItems": 10**6},
    "items of items": nested(
        10, lambda inner: {"type": "array", "items": inner, "minItems": 50, "maxItems": 50}
    ),
    "a thousand million laughs": {
        "$ref": "#/$defs/a0",
        "$defs": {
            **{
                f"a{level}": {
                    "type": "array",
                    "prefixItems": [{"$ref": f"#/$defs/a{level + 1}"}] * 10,
                }
                for level in range(9)
            },
            "a9": {"type": "integer"},
        },
    },
    "alternatives of alternatives": nested(10, lambda inner: {"anyOf": [inner, inner]}),
    "many properties": {
        "type": "object",
        "properties": {f"p{number}": {"type": "integer"} for number in range(3000)},
    },
    "a thousand optional properties": {
        "type": "object",
        "properties": {f"p{number}": {"type": "integer"} for number in range(1000)},
        "additionalProperties": False,
    },
    "many values": {"enum": [f"value {number}" for number in range(2000)]},
    "numbers of many digits": {"type": "integer", "minimum": -(10**30), "maximum": 10**30},
    "no type": {"type": "bird"},
    "a type of 7": {"type": 7},
    "no values": {"enum": []},
    "pattern of repeats": pattern("^(((a{1,100}){1,100}){1,100}){1,100}$"),
    "pattern of groups": pattern("^" + "(" * 2000 + "a" + ")" * 2000 + "$"),
    "pattern of stars": pattern("^(a*)*(a*)*b$"),
    "pattern of what may be left out": pattern("^(a?){500}b$"),
    "pattern of many optional letters": pattern("^" + "a?" * 500 + "$"),
    "pattern of empty alternatives": pattern("^((a|){50}){50}b$"),
    "pattern that is none": pattern("^(a"),
}

ANSWER_SECONDS = 60


def assert_answered(node, fields, name):
    # Over a connection of its own, so that a request that takes too long is given up by its node.
    with contextlib.closing(RestClient(node.address)) as client:
        request = {**HELLO, "temperature": 0, "max_tokens": 4, **fields}
        answer = client.post(CHAT, request, timeout=ANSWER_SECONDS)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert_openai_error(answer, 400, answer.json()["error"]["code"])
    assert node.rest.get("/healthz/ready").status_code == 200
    assert node.rest.post(CHAT, HELLO).status_code == 200, f"no answer after {name}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_costly_schema_is_answered_in_time(language_node, name):
    assert_answered(language_node, {"response_format": schema_format(SCHEMAS[name])}, name)


@pytest.mark.parametrize(
    "name", ["of itself", "items of items", "pattern of what may be left out", "many values"]
)
def test_a_costly_tool_is_answered_in_time(language_node, name):
    tool = function("f", x=SCHEMAS[name])
    assert_answered(language_node, {"tools": [tool], "tool_choice": "required"}, name)


def test_a_schema_that_fails_is_not_the_node_s_fault(language_node):
    answer = language_node.rest.post(
        CHAT, {**HELLO, "response_format": schema_format(SCHEMAS["of itself"])}
    )
    message = assert_openai_error(answer, 400, answer.json()["error"]["code"])
    assert "$ref" in message


def test_a_large_request_is_refused_before_it_is_read(language_node):
    text = json.dumps({**HELLO, "messages": [user("x" * (70 << 20))]})
    answer = language_node.rest.post(CHAT, text)
    assert answer.status_code == 413
