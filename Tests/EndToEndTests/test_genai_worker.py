"""What the worker of OpenVINO GenAI makes of an engine that goes wrong; the engine is made up."""

import enum
import importlib.util
import json
import math
import queue
import socket
import sys
import types

import pytest
from harness.paths import REPOSITORY

WORKER = REPOSITORY / "Sources/MartletEngines/OpenVINOGenAI/worker/martlet_genai_worker.py"

REQUEST = {
    "prompt": [1, 2],
    "tokens": 16,
    "ends": [2],
    "ignoresEnds": False,
    "logprobs": True,
    "repetitionPenalty": 1.0,
    "frequencyPenalty": 0.0,
    "presencePenalty": 0.0,
    "temperature": 0.0,
}


class FinishReason(enum.Enum):
    NONE = 0
    STOP = 1
    LENGTH = 2


class Status(enum.Enum):
    RUNNING = 0
    FINISHED = 1
    IGNORED = 2


class Config:
    def validate(self):
        if self.max_new_tokens == 13:
            raise TypeError("13 is no number")


class Handle:
    """A sequence of the made-up engine: what it says next, and whether it was cancelled."""

    def __init__(self):
        self.outputs = []
        self.status = Status.RUNNING
        self.is_cancelled = False

    def say(self, *logprobs, finish=FinishReason.NONE, tokens=None):
        self.outputs.append(
            types.SimpleNamespace(
                generated_ids=tokens or [504] * len(logprobs),
                generated_log_probs=list(logprobs),
                finish_reason=finish,
            )
        )

    def can_read(self):
        return bool(self.outputs)

    def read(self):
        return {0: self.outputs.pop(0)}

    def get_status(self):
        return self.status

    def cancel(self):
        self.is_cancelled = True


class Pipeline:
    def __init__(self):
        self.handles = {}
        self.cache_usage = 25.0
        self.steps = 0

    def add_request(self, number, prompt, config):
        self.handles[number] = Handle()
        return self.handles[number]

    def step(self):
        self.steps += 1

    def has_non_finished_requests(self):
        return any(handle.status == Status.RUNNING for handle in self.handles.values())

    def get_metrics(self):
        return types.SimpleNamespace(cache_usage=self.cache_usage)


class Exited(BaseException):
    """The process would have ended."""


class Desk:
    """A worker over a made-up engine, and the node's end of its socket."""

    def __init__(self, module):
        self.module = module
        self.node, self.connection = socket.socketpair()
        self.lines = self.node.makefile("rb")
        self.channel = module.Channel(self.connection)
        self.pipeline = Pipeline()
        self.generator = module.Generator(self.pipeline, self.channel)

    def submit(self, number, **change):
        self.generator.submit({"id": number, **REQUEST, **change})
        return self.pipeline.handles.get(number)

    def hear(self):
        """The next message, read as strictly as the node does."""

        def refuse(name):
            raise AssertionError(f"{name} is no JSON")

        return json.loads(self.lines.readline(), parse_constant=refuse)

    def close(self):
        self.lines.close()
        self.node.close()
        self.connection.close()


@pytest.fixture
def desk(monkeypatch):
    engine = types.SimpleNamespace(
        GenerationFinishReason=FinishReason, GenerationStatus=Status, GenerationConfig=Config
    )
    array = types.SimpleNamespace(array=lambda values, dtype: values, int64=int)
    tensors = types.SimpleNamespace(Tensor=lambda array: array)
    for name, stub in (("openvino_genai", engine), ("openvino", tensors), ("numpy", array)):
        monkeypatch.setitem(sys.modules, name, stub)
    spec = importlib.util.spec_from_file_location("martlet_genai_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def leave(code):
        raise Exited(code)

    monkeypatch.setattr(module, "os", types.SimpleNamespace(_exit=leave))
    desk = Desk(module)
    desk.node.settimeout(60)
    yield desk
    desk.close()


def test_a_step_tells_tokens_and_why_they_end(desk):
    one, other = desk.submit(1), desk.submit(2)
    one.say(-0.5)
    other.say(-0.25, finish=FinishReason.LENGTH)
    other.status = Status.FINISHED
    desk.generator.tell()
    assert desk.hear() == {
        "step": [[1, [504], [-0.5], None], [2, [504], [-0.25], "length"]],
        "cache": 0.25,
    }
    assert list(desk.generator.sequences) == [1]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_probability_that_is_no_number_fails_its_request_alone(desk, value):
    bad, good = desk.submit(1), desk.submit(2)
    bad.say(-0.5, value)
    good.say(-0.5)
    desk.generator.tell()
    failed = desk.hear()["failed"]
    assert failed[0] == 1
    assert str(value) in failed[1]
    assert desk.hear()["step"] == [[2, [504], [-0.5], None]]
    assert bad.is_cancelled
    assert not good.is_cancelled
    assert list(desk.generator.sequences) == [2]


def test_a_token_held_for_impossible_has_a_number(desk):
    desk.submit(1).say(-math.inf)
    desk.generator.tell()
    assert desk.hear()["step"] == [[1, [504], [-1e9], None]]


def test_probabilities_that_nobody_asked_for_are_not_told(desk):
    desk.submit(1, logprobs=False).say(math.nan)
    desk.generator.tell()
    assert desk.hear()["step"] == [[1, [504], [], None]]


def test_a_cache_without_a_number_ends_nothing(desk):
    desk.submit(1).say(-0.5)
    desk.pipeline.cache_usage = math.nan
    desk.generator.tell()
    message = desk.hear()
    assert message["step"]
    assert message["cache"] == 0


def test_a_sequence_that_cannot_be_read_fails_alone(desk):
    bad, good = desk.submit(1), desk.submit(2)
    bad.can_read = lambda: 1 / 0
    good.say(-0.5)
    desk.generator.tell()
    assert desk.hear() == {"failed": [1, "division by zero"]}
    assert [result[0] for result in desk.hear()["step"]] == [2]


def test_an_empty_reading_does_not_end_a_sequence_as_the_one_before_it(desk):
    one, other = desk.submit(1), desk.submit(2)
    one.say(-0.5, finish=FinishReason.STOP)
    one.status = Status.FINISHED
    other.outputs.append(None)
    other.read = lambda: other.outputs.clear() or {}
    desk.generator.tell()
    assert desk.hear()["step"] == [[1, [504], [-0.5], "stop"]]
    assert list(desk.generator.sequences) == [2]


def test_a_request_that_the_engine_does_not_understand_is_refused_alone(desk):
    desk.submit(1)
    desk.submit(2, tokens=13)
    assert desk.hear() == {"refused": [2, "13 is no number"]}
    assert list(desk.generator.sequences) == [1]


def test_the_last_one_cancelled_is_let_go_of_in_a_step(desk):
    one = desk.submit(1)
    desk.generator.drop(1)
    desk.generator.drop(1)
    assert one.is_cancelled
    assert desk.pipeline.steps == 1


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b'{"cancel"'])
def test_the_worker_ends_with_its_node_whatever_that_said(desk, line):
    desk.node.sendall(line)
    desk.node.shutdown(socket.SHUT_WR)
    with pytest.raises(Exited):
        desk.channel.receive_all(queue.SimpleQueue())


def test_the_worker_ends_when_its_node_was_killed_with_messages_unread(desk):
    desk.channel.send({"step": [], "cache": 0})
    desk.lines.close()
    desk.node.close()
    with pytest.raises(Exited):
        desk.channel.receive_all(queue.SimpleQueue())
