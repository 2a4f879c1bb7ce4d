"""Gemma 3 270M by the stock `openai` client: another family, whose layers see a window of tokens.

The model is not tuned for chats: what it says in one is not looked at. Its file has no template, so
that it gets one here in the form of its family.
"""

import json

import openai
import pytest
from harness import gguf
from harness.openai_clients import function, streamed_text, text_of, user
from harness.paths import LANGUAGE_MODELS, REPOSITORY

FOLDER = LANGUAGE_MODELS / "gemma-3-270m"
FAMILY = REPOSITORY / "Tests" / "ChatTemplates" / "gemma3.txt"
BASE, CHATS = "gemma", "gemma-chats"
DAYS = "Monday, Tuesday, Wednesday,"

pytestmark = [
    pytest.mark.deadline(120),
    pytest.mark.skipif(not FOLDER.exists(), reason="scripts/setup.sh gemma fetches Gemma 3"),
]


@pytest.fixture(scope="module")
def node(module_martlet, tmp_path_factory):
    (file,) = FOLDER.glob("1/*.gguf")
    template = FAMILY.read_text().split("\n=== template\n")[1].split("\n=== ")[0]
    version = tmp_path_factory.mktemp("gemma") / CHATS / "1"
    version.mkdir(parents=True)
    model = gguf.and_text(file.read_bytes(), "tokenizer.chat_template", template)
    (version / "model.gguf").write_bytes(model)
    node = module_martlet.serve(
        {BASE: FOLDER, CHATS: version.parent},
        *("--engine", f"{BASE}=llama", "--engine", f"{CHATS}=llama"),
        *("--context-tokens", 1024, "--kv-cache", "128MiB", "--max-sequences", 4),
    )
    yield node
    node.assert_running()


def complete(node, prompt, **options):
    options = {"model": BASE, "temperature": 0, "max_tokens": 8, **options}
    return node.openai.completions.create(prompt=prompt, **options)


def chat(node, *messages, **options):
    options = {"model": CHATS, "temperature": 0, "max_tokens": 8, **options}
    return node.openai.chat.completions.create(messages=list(messages), **options)


def system(text):
    return {"role": "system", "content": text}


def prompt_of(node, *messages, model=CHATS):
    """The prompt of a chat, and its tokens."""
    body = {"model": model, "messages": list(messages)}
    tokens = node.rest.post("/tokenize", body).json()["tokens"]
    text = node.rest.post("/detokenize", {"model": model, "tokens": tokens}).json()
    return next(text[name] for name in ("content", "prompt") if name in text), tokens


def test_it_goes_on_with_a_text(node):
    whole = text_of(complete(node, DAYS))
    assert whole.startswith(" Thursday, Friday")
    assert streamed_text(complete(node, DAYS, stream=True)) == whole


def test_what_is_longer_than_its_window_is_read_once(node):
    long = "The sea is wide. " * 160 + DAYS
    first, second = (complete(node, long) for _ in range(2))
    assert first.usage.prompt_tokens > 600
    assert text_of(first) == text_of(second)
    assert second.usage.prompt_tokens_details.cached_tokens > 512


def test_a_chat_has_its_form_and_begins_with_the_token_of_the_beginning(node):
    text, tokens = prompt_of(node, user("Hi"), {"role": "assistant", "content": "Yes?"}, user("Go"))
    turns = (
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYes?<end_of_turn>\n"
        "<start_of_turn>user\nGo<end_of_turn>\n<start_of_turn>model\n"
    )
    assert text.removeprefix("<bos>") == turns
    assert (tokens[0], tokens.count(2)) == (2, 1)
    answer = chat(node, user("Hi"))
    assert answer.usage.completion_tokens > 0
    assert streamed_text(chat(node, user("Hi"), stream=True)) == (text_of(answer) or "")


def test_what_the_system_says_goes_into_the_first_turn(node):
    text, _ = prompt_of(node, system("Be brief."), user("Hi"))
    assert "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n" in text
    assert chat(node, system("Be brief."), user("Hi")).usage.prompt_tokens > 10


def test_two_messages_of_the_user_in_a_row_are_refused(node):
    with pytest.raises(openai.BadRequestError, match="Roles must alternate: user, assistant"):
        chat(node, user("Hi"), user("Hello"))


def test_a_call_is_made_although_the_template_knows_of_no_tools(node):
    weather = function("weather", city={"type": "string", "enum": ["Oslo", "Rome"]})
    question = user("What is the weather in Oslo?")
    answer = chat(node, question, tools=[weather], tool_choice="required", max_tokens=64)
    (choice,) = answer.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "weather")
    assert json.loads(call.function.arguments)["city"] in {"Oslo", "Rome"}
    plain = chat(node, question, max_tokens=1).usage.prompt_tokens
    assert answer.usage.prompt_tokens > plain + 40


def test_a_model_without_a_template_chats_by_the_usual_one(node):
    text, tokens = prompt_of(node, system("Be brief."), user("Hi"), model=BASE)
    assert "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n" in text
    assert tokens[0] == 2
