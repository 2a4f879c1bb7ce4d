"""Engines that crash and files made to crash them: one node at most is hit, and it comes back.

The model's engine is named: no test is to wait for a trial of two engines.
"""

import collections
import contextlib
import itertools
import os
import shutil
import struct
import threading

import httpx2
import openai
import pytest
import requests
from harness import crashes, gguf, language_models
from harness.clients import RestClient
from harness.language_models import NAME
from harness.openai_clients import STORY, chat, client_of, complete, text_of
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

CONFIGURATION = f"""\
gateway:
  port: 0
  admin_port: 0
nodes:
  count: 2
  first_port: 0
  engine_threads: 1
language_models:
  context_tokens: 512
  kv_cache: 32MiB
models:
  - name: {NAME}
    path: models/{NAME}
    engine: llama
"""


def link(source, target):
    """The same file at another place; a copy where that is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@pytest.fixture
def folder(tmp_path):
    """The folder of a language model's versions, of which there is one."""
    file = language_models.file()
    folder = tmp_path / "cluster" / "models" / NAME
    (folder / "1").mkdir(parents=True)
    link(file, folder / "1" / file.name)
    return folder


@pytest.fixture
def cluster(martlet, folder):
    """Two nodes that serve the model, behind a gateway."""
    configuration = folder.parent.parent / "cluster.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return martlet.up(configuration)


class Chats:
    """Clients that chat by the gateway until they are told to stop, each other time by a stream."""

    def __init__(self, address, clients=3):
        self.address = address
        self.answers = []
        self.broken = []
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def run(self):
        with contextlib.closing(client_of(self.address)) as client:
            for turn in itertools.count():
                if self.stopping.is_set():
                    return
                if turn % 2:
                    self.stream(client)
                else:
                    self.ask(client)

    def ask(self, client):
        try:
            answer = chat(client, "Hello", max_tokens=8)
        except openai.OpenAIError as error:
            self.failures.append(error)
            return
        # Nothing of a node that ended stands before what another said.
        assert answer.usage.completion_tokens <= 8
        self.answers.append(text_of(answer))

    def stream(self, client):
        pieces = []
        try:
            reason = None
            for chunk in chat(client, "Hello", max_tokens=8, stream=True):
                pieces.append(chunk.choices[0].delta.content or "")
                reason = chunk.choices[0].finish_reason
        except (openai.OpenAIError, httpx2.TransportError) as error:
            # What had begun cannot be taken back: it may end early, but not in silence.
            (self.broken if "".join(pieces) else self.failures).append(error)
            return
        if reason is None:
            self.failures.append("a stream ended in silence")
        self.answers.append("".join(pieces))

    def await_more(self, count):
        before = len(self.answers)
        await_until(lambda: len(self.answers) >= before + count, f"{count} more answers", 40)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a chat never ended"


@contextlib.contextmanager
def rest(node):
    with contextlib.closing(RestClient(node["address"])) as client:
        yield client


def await_restart(cluster, name, victim):
    def restarted():
        node = cluster.nodes()[name]
        return node["pid"] != victim["pid"] and node["state"] == "ready" and node

    return await_until(restarted, f"{name} to be ready again", 30)


@pytest.mark.parametrize("end", [crashes.spoil_engine, crashes.kill])
def test_no_chat_is_lost_when_an_engine_crashes_and_its_node_comes_back(cluster, end):
    victim = cluster.nodes()["node-1"]
    with Chats(cluster.address) as chats, rest(victim) as metrics:
        chats.await_more(3)
        await_until(
            lambda: metrics.metrics().total("martlet_sequences_running") > 0,
            "the engine to be at work",
            interval=0.005,
        )
        end(victim["pid"])
        node = await_restart(cluster, "node-1", victim)
        assert node["restarts"] == 1
        chats.await_more(3)
    assert chats.failures == []
    # Each client had one at the node at most.
    assert len(chats.broken) <= len(chats.threads)
    assert all(chats.answers)
    with contextlib.closing(client_of(node["address"])) as client:
        assert text_of(chat(client, "Hello", max_tokens=8))
    assert cluster.nodes()["node-2"]["restarts"] == 0
    cluster.assert_running()


def test_a_stream_that_had_begun_ends_in_an_error_when_its_engine_crashes(cluster):
    nodes = cluster.nodes()
    with contextlib.closing(client_of(cluster.address)) as client:
        stream = complete(
            client, STORY, max_tokens=400, stream=True, extra_body={"ignore_eos": True}
        )
        next(iter(stream))
        running = {}
        for name, node in nodes.items():
            with rest(node) as metrics:
                running[name] = metrics.metrics().total("martlet_sequences_running")
        (name,) = (name for name, count in running.items() if count > 0)
        crashes.spoil_engine(nodes[name]["pid"])
        with pytest.raises(openai.APIError, match="broke off its answer"):
            collections.deque(stream, maxlen=0)
        # The next one is not kept waiting for the node that is gone.
        assert text_of(chat(client, "Hello", max_tokens=8))
    assert await_restart(cluster, name, nodes[name])["restarts"] == 1


# Files whose header can be read, and says what cannot be.

NAME_OF_TENSOR = b"token_embd.weight"


def with_tensor(dimensions=(32, 2), kind=0, offset=0):
    """A small model whose one tensor is as it is told."""
    sound = gguf.tiny()
    start = sound.index(NAME_OF_TENSOR) + len(NAME_OF_TENSOR)
    # Two sizes, a type and a place.
    length = struct.calcsize("<IQQIQ")
    told = struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
    told += struct.pack("<IQ", kind, offset)
    return sound[:start] + told + sound[start + length :]


HEADER = "cannot be read as a GGUF model"
ENGINE = "llama.cpp could not load"

# Each with what refuses it.
HOSTILE = {
    "sizes whose product overflows": (lambda: with_tensor((2**40, 2**40)), HEADER),
    "a size of 2^63": (lambda: with_tensor((2**63, 1)), HEADER),
    "no size": (lambda: with_tensor((0, 2)), HEADER),
    "more data than the file has": (lambda: with_tensor((32, 2_000_000)), HEADER),
    "a place beyond the file": (lambda: with_tensor(offset=2**62), HEADER),
    "a place that is not aligned": (lambda: with_tensor(offset=1), HEADER),
    "an unknown type": (lambda: with_tensor(kind=200), HEADER),
    "two tokens of one text": (lambda: gguf.tiny(tokens=["same", "same"]), HEADER),
    "data that is cut off": (lambda: gguf.tiny()[:-1], HEADER),
    # Sound for whoever reads its header: it is the engine that has to refuse it.
    "no layers": (gguf.tiny, ENGINE),
}


def put(folder, version, content):
    """A version whose file is there all at once."""
    hidden = folder.parent.parent / "incoming"
    hidden.mkdir()
    (hidden / "model.gguf").write_bytes(content)
    hidden.rename(folder / str(version))


def await_refusal(client, version, what):
    """Why a version was not loaded."""

    def refused():
        told = client.status(NAME).get(version)
        return told and told["state"] == "END" and told["status"]["error_message"]

    return await_until(refused, f"a file with {what} to be refused")


def test_hostile_files_are_refused_and_nothing_ends(cluster, folder):
    before = cluster.nodes()
    with Chats(cluster.address, clients=1) as chats:
        for version, (what, (content, refusal)) in enumerate(HOSTILE.items(), 2):
            put(folder, version, content())
            for node in before.values():
                with rest(node) as client:
                    message = await_refusal(client, version, what)
                    assert refusal in message, what
                    assert client.states(NAME)[1] == "AVAILABLE", what
            shutil.rmtree(folder / str(version))
        chats.await_more(1)
    assert chats.failures == []
    after = cluster.nodes()
    assert {name: node["pid"] for name, node in after.items()} == {
        name: node["pid"] for name, node in before.items()
    }
    assert all(node["restarts"] == 0 for node in after.values())


# Keys and values of unlike lengths are well for other networks, so that the header's reader lets
# them pass. For this one the engine takes them for a fault of its own, and ends the process.
DEADLY = gguf.layered(key_length=8, value_length=16)


def test_file_that_ends_nodes_is_in_quarantine_and_never_ends_all_at_once(cluster, folder):
    before = cluster.nodes()
    with Chats(cluster.address) as chats:
        chats.await_more(3)
        put(folder, 2, DEADLY)

        def is_refused(node):
            # A node that is ending may leave the question without an answer.
            with contextlib.suppress(requests.RequestException), rest(node) as client:
                told = client.status(NAME).get(2)
                return told and "is in quarantine" in told["status"]["error_message"]
            return False

        def all_refuse():
            nodes = cluster.nodes()
            return all(node["state"] == "ready" and is_refused(node) for node in nodes.values())

        await_until(all_refuse, "both nodes to refuse the file", 50)
        chats.await_more(3)
    # One node found out, twice; the other had its version to lose, and waited.
    assert chats.failures == []
    after = cluster.nodes()
    assert sorted(node["restarts"] for node in after.values()) == [0, 2]
    assert any(after[name]["pid"] == node["pid"] for name, node in before.items())
    cluster.assert_running()
    # Files that are well again are loaded.
    shutil.rmtree(folder / "2")
    (folder / "2").mkdir()
    file = language_models.file()
    link(file, folder / "2" / file.name)
    for node in after.values():
        with rest(node) as client:
            await_until(
                lambda client=client: client.states(NAME).get(2) == "AVAILABLE",
                "the new version to answer",
                40,
            )
