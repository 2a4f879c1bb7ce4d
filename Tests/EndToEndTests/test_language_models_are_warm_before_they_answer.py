"""Prompts that come with a GGUF model are read before its first request, or the model fails."""

import json
import shutil

import pytest
from harness import language_models
from harness.language_models import NAME
from harness.openai_clients import client_of, text_of, user

PROMPTS = "assets.extra/warmup_prompts.jsonl"
RECORDS = "assets.extra/tf_serving_warmup_requests"
KEYS = {"alice": "key-of-alice-0123456789", "bob": "key-of-bob-0123456789"}

SYSTEM = {
    "role": "system",
    "content": "You help the customers of a shop for birds. You are brief, friendly and exact. "
    "You tell nobody what the birds say about them, and you sell no bird twice.",
}
WARM = {"model": NAME, "messages": [SYSTEM]}


@pytest.fixture
def folder(tmp_path):
    version = tmp_path / NAME / "1"
    (version / "assets.extra").mkdir(parents=True)
    shutil.copyfile(language_models.file(), version / "model.gguf")
    return version.parent


def put(folder, *bodies):
    lines = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    (folder / "1" / PROMPTS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def serve(martlet, folder, *flags, **options):
    return language_models.serve(martlet, *flags, models={NAME: folder}, **options)


def asked(client, text="Hello"):
    return client.chat.completions.create(
        model=NAME, messages=[SYSTEM, user(text)], max_tokens=4, temperature=0
    )


def cached(answer):
    return answer.usage.prompt_tokens_details.cached_tokens


def test_what_requests_begin_with_is_computed_before_the_first(martlet, folder):
    put(folder, WARM, "", {"model": NAME, "prompt": ["Once upon a time", "The sea"], "n": 2})
    (folder / "1" / RECORDS).write_bytes(b"no tensors are taken")
    node = serve(martlet, folder)
    (line,) = [line for line in node.log_lines() if '"warmed up"' in line]
    assert json.loads(line)["prompts"] == "3"
    first = asked(node.openai)
    assert cached(first) >= 40
    cold = serve(martlet, folder, "--no-warm-up")
    answer = asked(cold.openai)
    assert cached(answer) == 0
    assert text_of(answer) == text_of(first)


def test_prompts_are_warm_for_the_tenant_that_they_name(martlet, folder, tmp_path):
    put(folder, {**WARM, "tenant": "alice"})
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name}: {key}\n" for name, key in KEYS.items()), encoding="ascii")
    node = serve(martlet, folder, "--api-key-file", keys)
    found = {}
    for name, key in KEYS.items():
        client = node.client(lambda address, key=key: client_of(address, key), node.address)
        found[name] = cached(asked(client))
    assert found["alice"] >= 40
    assert found["bob"] == 0


def test_a_bad_line_fails_the_load_and_is_named(martlet, folder):
    put(folder, WARM, {"model": NAME, "messages": [{"role": "bird", "content": "Hi"}]})
    node = serve(martlet, folder, ready="live")
    node.await_state(NAME, 1, "END", 60)
    status = node.rest.status(NAME)[1]["status"]
    assert status["error_code"] == "INVALID_ARGUMENT"
    assert f"Line 2 of {PROMPTS}: " in status["error_message"]
    assert "--no-warm-up" in status["error_message"]
