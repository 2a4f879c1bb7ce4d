"""GGUF models come and go: swaps under streams, loads on demand, eviction, memory given back."""

import concurrent.futures
import json
import shutil
import threading

import pytest
from harness import language_models, models, wires
from harness.language_models import NAME
from harness.openai_clients import STORY, chat, text_of, user
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(240)

CHAT = "/v1/chat/completions"
SMALL = ("--context-tokens", 512, "--kv-cache", "32MiB", "--max-sequences", 4)
# One model with its memory fits, two do not.
BUDGET = "220MiB"
STREAMS = 4


def add_version(folder, number):
    """A version that appears whole."""
    aside = folder / f".{number}"
    aside.mkdir(parents=True)
    shutil.copyfile(language_models.file(), aside / "model.gguf")
    aside.rename(folder / str(number))


def logged(node, message):
    told = [json.loads(line) for line in node.log_lines() if line.startswith("{")]
    return [(line["model"], line["version"]) for line in told if line["msg"] == message]


def asked(node):
    """The events of a stream."""
    body = {"model": NAME, "messages": [user(STORY)], "stream": True, "ignore_eos": True}
    with wires.begin(node, CHAT, json.dumps({**body, "max_tokens": 100}).encode()) as connection:
        status, answer, is_whole = wires.read(connection)
    assert (status, is_whole) == (200, True)
    return wires.frames(answer)


def asked_until(node, done):
    """What was answered to one stream after the other, the last of which began behind `done`."""
    answers = []
    while True:
        is_last = done.is_set()
        answers.append(asked(node))
        if is_last:
            return answers


def test_streams_end_well_while_a_new_version_takes_over(martlet, tmp_path):
    folder = tmp_path / NAME
    add_version(folder, 1)
    polling = ("--poll-interval-seconds", 0.2)
    node = language_models.serve(martlet, *polling, *SMALL, models={NAME: folder})
    done = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        askers = [pool.submit(asked_until, node, done) for _ in range(STREAMS)]
        try:
            language_models.await_running(node, STREAMS)
            add_version(folder, 2)
            node.await_state(NAME, 2, "AVAILABLE", 120)
            node.await_state(NAME, 1, "END", 60)
        finally:
            done.set()
        answers = [asker.result() for asker in askers]
    for streams in answers:
        versions = []
        for events in streams:
            assert wires.terminals(events) == ["[DONE]"]
            assert wires.reasons(events) == {0: "length"}
            (version,) = {event["system_fingerprint"] for event in events[:-1]}
            versions.append(version)
        assert versions == sorted(versions), "the old version answered behind the new one"
        assert (versions[0], versions[-1]) == ("llama-1", "llama-2")


def test_a_model_is_loaded_once_when_several_ask_first(martlet):
    node = language_models.serve(martlet, "--load-on-demand", *SMALL)
    assert [model.id for model in node.openai.models.list()] == [NAME]
    assert node.rest.states(NAME) == {1: "START"}
    assert logged(node, "model loaded") == []
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        answers = list(pool.map(lambda _: chat(node.openai, "Hello"), range(STREAMS)))
    assert len({text_of(answer) for answer in answers}) == 1
    assert logged(node, "model loaded") == [(NAME, "1")]
    assert node.rest.states(NAME) == {1: "AVAILABLE"}


def test_the_model_used_longest_ago_makes_room_and_comes_back(martlet):
    folders = {name: language_models.FOLDER for name in ("one", "two")}
    engines = [word for name in folders for word in ("--engine", f"{name}=llama")]
    flags = ("--load-on-demand", "--memory-budget", BUDGET, *SMALL, *engines)
    node = martlet.serve(folders, *flags)
    said = {}
    for name, other in (("one", "two"), ("two", "one"), ("one", "two")):
        text = text_of(chat(node.openai, "Hello", model=name))
        assert said.setdefault(name, text) == text
        assert node.rest.states(name) == {1: "AVAILABLE"}
        assert node.rest.states(other) == {1: "START"}
    assert logged(node, "model loaded") == [("one", "1"), ("two", "1"), ("one", "1")]
    assert said["one"] == said["two"]


def test_an_unload_gives_the_memory_back(martlet):
    served = {NAME: language_models.FOLDER, "half_plus_two": models.fixture("half_plus_two")}
    node = language_models.serve(martlet, *SMALL, models=served)
    weights = language_models.file().stat().st_size
    assert text_of(chat(node.openai, "Hello"))

    def change(verb, state):
        url = f"/v2/repository/models/{NAME}/{verb}"
        assert node.rest.post(url, {}).status_code == 200
        node.await_state(NAME, 1, state, 60)

    for _ in range(3):
        loaded = node.resident_bytes()
        change("unload", "END")
        await_until(
            lambda most=loaded - weights * 3 // 4: node.resident_bytes() < most,
            "the memory of the weights to be given back",
            60,
        )
        assert node.rest.metrics().total("martlet_servable_memory_bytes", model=NAME) == 0
        change("load", "AVAILABLE")
        assert text_of(chat(node.openai, "Hello"))
        assert node.resident_bytes() < loaded + weights // 2
    node.assert_unharmed()
