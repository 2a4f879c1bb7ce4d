"""OpenAI's API: answers that keep to JSON or to a schema, and calls of tools."""

import json

import pytest
from harness.language_models import NAME
from harness.openai_clients import (
    chat,
    function,
    schema_format,
    streamed_text,
    text_of,
    tokens_of,
    user,
)

CITY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "kind": {"enum": ["town", "city"]},
        "people": {"type": "integer", "minimum": 0, "maximum": 99_999_999},
        "sights": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
        "capital": {"type": "boolean"},
    },
    "required": ["name", "kind", "people", "sights", "capital"],
    "additionalProperties": False,
}

WEATHER = function("get_weather", city={"type": "string", "maxLength": 12})
TIME = function("get_time", zone={"enum": ["UTC", "CET"]})
QUESTION = "What is the weather in Paris?"


def assert_city(text):
    city = json.loads(text)
    assert list(city) == CITY["required"]
    assert isinstance(city["name"], str)
    assert 1 <= len(city["name"]) <= 12
    assert city["kind"] in ("town", "city")
    assert type(city["people"]) is int
    assert 0 <= city["people"] <= 99_999_999
    assert len(city["sights"]) <= 2
    assert all(isinstance(sight, str) and len(sight) <= 8 for sight in city["sights"])
    assert type(city["capital"]) is bool


@pytest.mark.parametrize("temperature", [0, 1])
def test_an_answer_is_a_json_object(language_node, temperature):
    # So small a model finds no end by itself.
    biases = {str(token): 12 for token in tokens_of(language_node, "}")}
    answer = chat(
        language_node.openai,
        "Tell me of a bird.",
        response_format={"type": "json_object"},
        temperature=temperature,
        seed=2,
        max_tokens=100,
        logit_bias=biases,
    )
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(json.loads(text_of(answer)), dict)


@pytest.mark.parametrize("temperature", [0, 1])
def test_an_answer_keeps_to_its_schema(language_model, temperature):
    options = {"temperature": temperature, "seed": 3, "max_tokens": 200}
    answer = chat(
        language_model, "Tell me of Paris.", response_format=schema_format(CITY), **options
    )
    assert answer.choices[0].finish_reason == "stop"
    assert_city(text_of(answer))


def test_a_stream_keeps_to_its_schema(language_model):
    stream = chat(
        language_model,
        "Tell me of Paris.",
        response_format=schema_format(CITY),
        max_tokens=200,
        stream=True,
    )
    assert_city(streamed_text(stream))


def test_a_schema_may_call_on_itself(language_model):
    tree = {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer", "minimum": 0, "maximum": 9},
                    "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                },
                "required": ["value", "next"],
                "additionalProperties": False,
            }
        },
    }
    answer = chat(language_model, "1", response_format=schema_format(tree), max_tokens=200)
    node = json.loads(text_of(answer))
    while node:
        assert 0 <= node["value"] <= 9
        node = node["next"]


# Tools.


def call_tools(client, **options):
    options = {"tools": [WEATHER, TIME], "max_tokens": 100, **options}
    return chat(client, QUESTION, **options)


def arguments_of(call):
    arguments = json.loads(call.function.arguments)
    if call.function.name == "get_weather":
        assert list(arguments) == ["city"]
        assert isinstance(arguments["city"], str)
    else:
        assert arguments in ({"zone": "UTC"}, {"zone": "CET"})
    return arguments


def test_a_required_call_names_a_tool_and_its_arguments(language_model):
    (choice,) = call_tools(language_model, tool_choice="required").choices
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    assert choice.message.tool_calls
    for call in choice.message.tool_calls:
        assert call.type == "function"
        assert call.id
        assert call.function.name in ("get_weather", "get_time")
        arguments_of(call)


@pytest.mark.parametrize("name", ["get_weather", "get_time"])
def test_a_named_tool_is_the_one_called(language_model, name):
    named = {"type": "function", "function": {"name": name}}
    (choice,) = call_tools(language_model, tool_choice=named).choices
    assert choice.finish_reason == "tool_calls"
    assert {call.function.name for call in choice.message.tool_calls} == {name}
    arguments_of(choice.message.tool_calls[0])


def test_pieces_of_a_call_make_the_whole_call(language_model):
    whole = call_tools(language_model, tool_choice="required").choices[0].message.tool_calls
    calls = {}
    reasons = []
    for chunk in call_tools(language_model, tool_choice="required", stream=True):
        (choice,) = chunk.choices
        assert not choice.delta.content
        reasons.append(choice.finish_reason)
        for piece in choice.delta.tool_calls or []:
            if piece.index not in calls:
                assert piece.id
                calls[piece.index] = [piece.function.name, ""]
            calls[piece.index][1] += piece.function.arguments or ""
    assert reasons[-1] == "tool_calls"
    assert list(calls.values()) == [[call.function.name, call.function.arguments] for call in whole]


def test_a_model_may_leave_its_tools_alone(language_model):
    (choice,) = call_tools(language_model, tool_choice="none", max_tokens=8).choices
    assert choice.message.content
    assert choice.message.tool_calls is None
    (choice,) = call_tools(language_model, tool_choice="auto").choices
    assert choice.message.content or choice.message.tool_calls


def test_what_a_tool_said_is_read(language_model):
    calls = call_tools(language_model, tool_choice="required").choices[0].message.tool_calls
    messages = [
        user(QUESTION),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call.model_dump(exclude_none=True) for call in calls],
        },
        *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
    ]
    answer = language_model.chat.completions.create(
        model=NAME, messages=messages, tools=[WEATHER, TIME], temperature=0, max_tokens=24
    )
    assert text_of(answer)
    assert answer.usage.prompt_tokens > 60
