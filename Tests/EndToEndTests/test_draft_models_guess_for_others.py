"""A draft model guesses the next tokens of another: the texts stay, and come in fewer steps."""

import struct

import pytest
from harness import language_models
from harness.language_models import NAME
from harness.openai_clients import chat, client_of, complete, schema_format, text_of

PROMPT = "Count: one, two, three, four, five, six,"
ENOUGH = ("--kv-cache", "64MiB", "--max-sequences", 4)


@pytest.fixture(scope="module")
def plain(module_martlet):
    node = language_models.serve(module_martlet, *ENOUGH)
    yield node
    node.assert_running()


@pytest.fixture(scope="module")
def drafting(module_martlet):
    """The model as its own draft model: nearly all that it guesses is right."""
    node = language_models.serve(
        module_martlet,
        *ENOUGH,
        *("--draft-model", f"{NAME}={language_models.file()}", "--draft-min-probability", 0.5),
    )
    yield node
    node.assert_running()


def drafts(node, name, kind="model"):
    return node.rest.metrics().total(name, model=NAME, kind=kind)


def test_a_text_is_the_same_with_a_draft_model(plain, drafting):
    texts = []
    for node in (plain, drafting):
        client = node.client(client_of, node.address)
        texts.append(text_of(complete(client, PROMPT, max_tokens=24)))
    assert texts[0] == texts[1] != ""
    proposed = drafts(drafting, "martlet_draft_tokens_total")
    accepted = drafts(drafting, "martlet_draft_tokens_accepted_total")
    assert 0 < accepted <= proposed
    assert drafts(drafting, "martlet_draft_tokens_total", kind="lookup") == 0
    assert drafts(plain, "martlet_draft_tokens_total") == 0


def test_the_draft_model_counts_as_memory(plain, drafting):
    plain_bytes, drafting_bytes = (
        node.rest.metrics().total("martlet_servable_memory_bytes", model=NAME)
        for node in (plain, drafting)
    )
    assert drafting_bytes > plain_bytes + language_models.file().stat().st_size // 2


def test_an_answer_keeps_to_its_schema_with_a_draft_model(drafting):
    client = drafting.client(client_of, drafting.address)
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["town"]}, "large": {"type": "boolean"}},
        "required": ["kind", "large"],
        "additionalProperties": False,
    }
    answer = chat(client, "Tell me of Paris.", response_format=schema_format(schema), max_tokens=60)
    assert answer.choices[0].finish_reason == "stop"
    assert '"town"' in text_of(answer)


def test_a_draft_model_that_is_none_is_said(martlet, tmp_path):
    draft = tmp_path / "draft.gguf"
    draft.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    node = language_models.serve(martlet, "--draft-model", f"{NAME}={draft}", ready="live")
    node.await_state(NAME, 1, "END")
    status = node.rest.status(NAME)[1]["status"]
    assert status["error_code"] == "INVALID_ARGUMENT"
    assert str(draft) in status["error_message"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--draft-max", "0"), "--draft-max is 0; use 1 to 64"),
        (("--draft-min-probability", "2"), "--draft-min-probability is 2.0; use 0 to 1"),
        (
            ("--draft-model", "a=/m", "--draft-model", "a=/n"),
            "--draft-model names 'a' twice; leave one",
        ),
    ],
)
def test_flags_without_sense_are_refused(martlet, flags, message):
    refused = martlet.run("serve", "--model", "a=/m", *flags)
    assert refused.returncode == 64
    assert message in refused.stderr
