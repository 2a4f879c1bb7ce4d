"""Chats as the model reads them: with the token that its tokenizer puts before a text, once."""

import openai
import pytest
from harness import tiny_models
from harness.openai_clients import client_of, user

MESSAGES = (
    "{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('No messages of the system are taken twice') if not loop.first }}"
    "{% endif %}{{ message.role }}: {{ message.content }} {% endfor %}"
)

TEMPLATES = {"writes": "{{ bos_token }}" + MESSAGES, "leaves-it-out": MESSAGES}

# The tiny model's tokens: three of its own, and one for each byte.
BEGINNING = 1
TEXT = "user: Hi "


@pytest.fixture(scope="module")
def node(module_martlet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beginnings")
    served = {}
    for name, template in TEMPLATES.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        tiny_models.llama(version / "model.gguf", template)
        served[name] = version.parent
    return module_martlet.serve(served)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_begins_with_the_token_of_the_beginning_once(node, name):
    answer = node.rest.post("/tokenize", {"model": name, "messages": [user("Hi")]})
    assert answer.status_code == 200, answer.text
    tokens = answer.json()["tokens"]
    assert tokens[0] == BEGINNING
    assert BEGINNING not in tokens[1:]
    plain = node.rest.post("/tokenize", {"model": name, "content": TEXT}).json()["tokens"]
    # The tokenizer may put a space before what follows.
    assert tokens[-len(TEXT) :] == plain[-len(TEXT) :]
    client = node.client(client_of, node.address)
    chat = client.chat.completions.create(model=name, messages=[user("Hi")], max_tokens=1)
    assert chat.usage.prompt_tokens == len(tokens)


def test_special_tokens_that_are_asked_for_are_not_put_there_twice(node):
    body = {"model": "writes", "messages": [user("Hi")], "add_special_tokens": True}
    tokens = node.rest.post("/tokenize", body).json()["tokens"]
    assert tokens.count(BEGINNING) == 1


def test_what_a_template_refuses_is_told_in_its_words(node):
    client = node.client(client_of, node.address)
    messages = [user("Hi"), {"role": "system", "content": "Be brief."}]
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model="writes", messages=messages, max_tokens=1)
    assert "template refuses it: No messages of the system are taken twice" in str(refusal.value)
    assert "CallExpression" not in str(refusal.value)
