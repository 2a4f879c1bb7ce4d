"""Models that think before they answer: what they think has a field of its own."""

import json

import pytest
from harness import gguf, language_models
from harness.language_models import NAME
from harness.openai_clients import chat, complete, events, user

# SmolLM2 with the template of a model that thinks: it goes on to think for as long as it may.
TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{%- if message.reasoning_content %}
<think>
{{ message.reasoning_content }}
</think>
{%- endif %}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}"""

# The same of one that drops the thoughts of earlier answers.
DROPPING = """{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}"""

TOOL = {"type": "function", "function": {"name": "capital", "parameters": {"type": "object"}}}
QUESTION = "What is the capital of France?"


def serve(martlet, folder, template):
    (folder / "1").mkdir(parents=True)
    model = gguf.with_text(language_models.file().read_bytes(), "tokenizer.chat_template", template)
    (folder / "1" / "model.gguf").write_bytes(model)
    return language_models.serve(martlet, models={NAME: folder})


@pytest.fixture(scope="module")
def thinking_node(session_martlet, tmp_path_factory):
    return serve(session_martlet, tmp_path_factory.mktemp("thinking") / NAME, TEMPLATE)


@pytest.fixture(scope="module")
def dropping_node(session_martlet, tmp_path_factory):
    return serve(session_martlet, tmp_path_factory.mktemp("dropping") / NAME, DROPPING)


def thoughts_of(part):
    return getattr(part, "reasoning_content", None) or ""


def test_thoughts_of_a_whole_answer_are_no_content(thinking_node):
    answer = chat(thinking_node.openai, QUESTION, max_tokens=12)
    (choice,) = answer.choices
    assert len(thoughts_of(choice.message)) > 10
    assert choice.message.content == ""
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 12


def test_thoughts_stream_as_they_come(thinking_node):
    options = {"max_tokens": 12, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chat(thinking_node.openai, QUESTION, **options)
    pieces = [thoughts_of(chunk.choices[0].delta) for chunk in chunks]
    assert sum(1 for piece in pieces if piece) >= 2, "they came all at once"
    whole = chat(thinking_node.openai, QUESTION, max_tokens=12)
    assert "".join(pieces).strip() == thoughts_of(whole.choices[0].message).strip()
    assert not any(chunk.choices[0].delta.content for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
    assert last.usage.completion_tokens == 12


@pytest.mark.parametrize("options", [{}, {"tools": [TOOL]}], ids=["no tools", "tools"])
def test_thoughts_are_told_apart_where_the_template_drops_them(dropping_node, options):
    answer = chat(dropping_node.openai, QUESTION, max_tokens=12, **options)
    (choice,) = answer.choices
    assert len(thoughts_of(choice.message)) > 10
    assert not choice.message.content
    stream = chat(dropping_node.openai, QUESTION, max_tokens=12, stream=True, **options)
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join(thoughts_of(delta) for delta in deltas) == thoughts_of(choice.message)
    assert not any(delta.content for delta in deltas)


def test_a_completion_has_no_thoughts(thinking_node):
    answer = complete(thinking_node.openai, "1, 2, 3,", max_tokens=4)
    assert answer.choices[0].text
    assert thoughts_of(answer.choices[0]) == ""


def test_thoughts_of_an_earlier_answer_may_be_sent_back(thinking_node):
    messages = [
        user(QUESTION),
        {"role": "assistant", "content": "Paris", "reasoning_content": "Easy."},
        user("And of Italy?"),
    ]
    body = {"model": NAME, "messages": messages, "max_tokens": 2, "stream": True}
    answer = thinking_node.rest.post("/v1/chat/completions", json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    assert events(answer.content)[-1] == "[DONE]"


def test_thoughts_that_are_sent_back_stand_in_the_prompt(thinking_node):
    def prompt_of(thoughts):
        messages = [
            user(QUESTION),
            {"role": "assistant", "content": "Paris", "reasoning_content": thoughts},
            user("And of Italy?"),
        ]
        body = {"model": NAME, "messages": messages}
        answer = thinking_node.rest.post("/tokenize", json.dumps(body).encode())
        assert answer.status_code == 200, answer.text
        tokens = {"model": NAME, "tokens": answer.json()["tokens"]}
        answer = thinking_node.rest.post("/detokenize", json.dumps(tokens).encode())
        assert answer.status_code == 200, answer.text
        return answer.json()["prompt"]

    assert "<think>\nEasy.\n</think>" in prompt_of("Easy.")
    assert "</think>" not in prompt_of("")
