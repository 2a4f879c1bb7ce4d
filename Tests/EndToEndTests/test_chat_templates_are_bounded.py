"""Chat templates are programs that come with a model's file: those that do not end are ended."""

import time

import openai
import pytest
from harness import tiny_models
from harness.openai_clients import client_of, user

pytestmark = pytest.mark.deadline(90)

GOOD = "{% for message in messages %}{{ message.role }}: {{ message.content }} {% endfor %}"

# Each works at first, as the load tries a template; only a word sets it off, in all but the last.
TRIGGER = "{% if 'boom' in messages[-1].content %}"
LOOP = (
    "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = a + b %}{% endfor %}"
    "{% endfor %}"
)

HOSTILE = {
    "endless": f"{GOOD}{TRIGGER}{LOOP}{{% endif %}}",
    "many": f"{GOOD}{TRIGGER}{{% set l = range(99999999999) %}}{{% endif %}}",
    "doubling": GOOD + TRIGGER + "{% set n = namespace(s='xxxxxxxx') %}"
    "{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{% endif %}",
    "wide": GOOD + TRIGGER + "{{ 'x'|indent(9999999999, true) }}{% endif %}",
    "joining": GOOD + TRIGGER + "{% set n = namespace(l=[1, 2, 3, 4]) %}"
    "{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}{% endif %}",
    "at-the-load": f"{GOOD}{LOOP}",
}


@pytest.fixture(scope="module")
def node(module_martlet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    served = {}
    for name, template in {"good": GOOD, **HOSTILE}.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        tiny_models.llama(version / "model.gguf", template)
        served[name] = version.parent
    # That of the last takes as long as it may.
    node = module_martlet.serve(served, ready="live")
    for name in served:
        node.await_state(name, 1, "AVAILABLE", 60)
    yield node
    node.assert_running()


@pytest.fixture(scope="module")
def client(node):
    return node.client(client_of, node.address)


def ask(client, model, text):
    return client.chat.completions.create(model=model, messages=[user(text)], max_tokens=2)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_template_that_takes_too_much_is_ended(node, client, name):
    before = node.resident_bytes()
    begun = time.monotonic()
    with pytest.raises(openai.BadRequestError, match=r"render the chat|template"):
        ask(client, name, "boom")
    assert time.monotonic() - begun < 60
    assert ask(client, "good", "boom").usage.prompt_tokens > 4
    assert node.resident_bytes() - before < 1 << 30


def test_a_template_that_ends_is_as_before(client):
    for name in {"good", *HOSTILE} - {"at-the-load"}:
        answer = ask(client, name, "hello")
        assert answer.usage.prompt_tokens >= len("user: hello")
