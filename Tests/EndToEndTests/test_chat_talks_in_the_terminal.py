"""`martlet chat` against servers that behave as a test says, and against a real model."""

import contextlib
import json
import os
import pty
import select
import subprocess
import threading
import time

import pytest
from harness.paths import BINARY, from_environment
from harness.stand_ins import stand_in
from harness.waiting import PATIENCE

LLAMA = from_environment("MARTLET_LLAMA_PATH", ".engines/llama")
SMOLLM2 = from_environment("MARTLET_LLM_MODELS", ".models") / "smollm2-135m"

USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 8},
}


def models(*names):
    listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
    return {"/v1/models": json.dumps(listed).encode()}


def begin(handler):
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()


def event(handler, value):
    data = value if isinstance(value, str) else json.dumps(value)
    handler.send_chunk(f"data: {data}\n\n".encode())


def delta(text, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def finish(handler):
    event(handler, {"choices": [], "usage": USAGE})
    event(handler, "[DONE]")
    handler.wfile.write(b"0\r\n\r\n")


def echo(handler, body):
    """Says how many turns there were, and repeats the last one word by word."""
    request = json.loads(body)
    begin(handler)
    words = request["messages"][-1]["content"].split()
    for word in [f"{len(request['messages'])}:", *words]:
        event(handler, delta(f" {word}"))
    event(handler, delta("", "stop"))
    finish(handler)


@pytest.fixture
def server():
    with stand_in(echo, models("tiny")) as server:
        yield server


def chat(martlet, server, *arguments, code=0):
    ended = martlet.run("chat", "--url", f"http://{server.address}", *arguments)
    assert ended.returncode == code, ended.stderr
    return ended


def asked(server):
    return [json.loads(body) for _, _, body in server.requests]


def test_prompt_is_answered(martlet, server):
    ended = chat(martlet, server, "--system", "Be brief.", "How", "are you?")
    assert (ended.stdout, ended.stderr) == (" 2: How are you?\n", "")
    (request,) = asked(server)
    assert request["model"] == "tiny"
    assert request["stream"] is True
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How are you?"},
    ]


def test_wishes_and_key_are_passed_on(martlet, server, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# mine\nme: secret-key\n", encoding="ascii")
    chat(
        *(martlet, server, "--model", "other", "--key-file", keys, "--max-tokens", 5),
        *("--temperature", 0, "--seed", 3, "Hi"),
    )
    (request,) = asked(server)
    assert request["model"] == "other"
    assert request["max_completion_tokens"] == 5
    assert (request["temperature"], request["seed"]) == (0, 3)
    _, headers, _ = server.requests[0]
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == (
        "Bearer secret-key"
    )


def test_standard_input_is_one_question(server):
    ended = subprocess.run(
        [BINARY, "chat", "--url", f"http://{server.address}/v1"],
        input="One\nletter.\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == " 1: One letter.\n"


def test_json_is_one_object(martlet, server):
    told = json.loads(chat(martlet, server, "--json", "Hi").stdout)
    assert told["content"] == " 1: Hi"
    assert told["model"] == "tiny"
    assert told["finish_reason"] == "stop"
    assert told["usage"]["completion_tokens"] == 3
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": 8}
    assert told["ttft_ms"] > 0


def test_statistics_are_told_when_asked_for(martlet, server):
    ended = chat(martlet, server, "--stats", "Hi")
    assert ended.stdout == " 1: Hi\n"
    assert ended.stderr.startswith("9 tokens read (8 cached), 3 written, first after ")


def test_text_appears_as_it_comes(martlet):
    go_on = threading.Event()

    def answer(handler, _):
        begin(handler)
        event(handler, delta("first"))
        go_on.wait(100)
        event(handler, delta(" second", "stop"))
        finish(handler)

    with stand_in(answer, models("tiny")) as server:
        command = (BINARY, "chat", "--url", f"http://{server.address}", "Hi")
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.read(5) == b"first"
            go_on.set()
            assert process.stdout.read() == b" second\n"
        assert process.returncode == 0


def test_one_of_several_models_has_to_be_named(martlet):
    with stand_in(echo, models("large", "small")) as server:
        refusal = chat(martlet, server, "Hi", code=64)
        assert "large, small" in refusal.stderr
        assert "--model" in refusal.stderr
        chat(martlet, server, "--model", "small", "Hi")
    with stand_in(echo, models()) as server:
        assert "no language model" in chat(martlet, server, "Hi", code=1).stderr
    with stand_in(echo, {"/v1/models": b"{}"}) as server:
        assert "--model" in chat(martlet, server, "Hi", code=69).stderr


@pytest.mark.parametrize(
    ("status", "code"), [(400, 1), (401, 77), (403, 77), (404, 1), (429, 1), (503, 69)]
)
def test_refusals_are_told_by_words_and_exit_code(martlet, status, code):
    body = json.dumps({"error": {"message": "it is \x1b[31mnot to be", "type": "x"}}).encode()
    with stand_in(lambda handler, _: handler.send(status, body), models("tiny")) as server:
        refusal = chat(martlet, server, "Hi", code=code)
    assert "it is [31mnot to be" in refusal.stderr
    assert ("--key-file" in refusal.stderr) == (status == 401)
    assert refusal.stdout == ""


def test_answers_that_break_off_are_an_error(martlet):
    def cut(handler, _):
        begin(handler)
        event(handler, delta("half"))
        handler.close_connection = True

    def fail(handler, _):
        begin(handler)
        event(handler, delta("half"))
        event(handler, {"error": {"message": "the engine fell over"}})
        handler.wfile.write(b"0\r\n\r\n")

    def end(handler, _):
        begin(handler)
        event(handler, delta("half"))
        handler.wfile.write(b"0\r\n\r\n")

    for answer, code, words in (
        (cut, 69, "closed"),
        (fail, 1, "the engine fell over"),
        (end, 69, "to the end"),
        (lambda handler, _: handler.send(200, b"<html>"), 69, "to the end"),
    ):
        with stand_in(answer, models("tiny")) as server:
            refusal = chat(martlet, server, "Hi", code=code)
            assert words in refusal.stderr or code == 69
            assert refusal.stdout in ("half", "")


def test_server_that_is_not_there_is_named(martlet):
    refusal = martlet.run("chat", "--url", "http://127.0.0.1:1", "Hi")
    assert refusal.returncode == 69
    assert "127.0.0.1:1" in refusal.stderr
    assert "--url" in refusal.stderr


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *arguments):
        self.own, other = pty.openpty()
        self.process = subprocess.Popen(
            [BINARY, *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(other)
        self.shown = ""

    def await_text(self, text, seconds=20):
        """What was shown since the last call, up to the text."""
        end = time.monotonic() + PATIENCE * seconds
        while text not in self.shown:
            ready, _, _ = select.select([self.own], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not appear, but {self.shown!r}"
            self.shown += os.read(self.own, 4096).decode()
        before, _, self.shown = self.shown.partition(text)
        return before

    def write(self, text):
        os.write(self.own, text.encode())

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.own)


def take_terminal():
    """Makes standard input the terminal that sends signals."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def terminal(server, *flags):
    shell = Terminal("chat", "--url", f"http://{server.address}", *flags)
    try:
        yield shell
    finally:
        shell.close()


def test_conversation_is_remembered_until_it_is_reset(server):
    with terminal(server) as shell:
        assert "tiny at http://" in shell.await_text("> ")
        shell.write("Hello\n")
        shell.await_text(" 1: Hello")
        shell.await_text("> ")
        shell.write("Again\n")
        shell.await_text(" 3: Again")
        shell.await_text("> ")
        shell.write("/reset\n")
        shell.await_text("forgotten")
        shell.await_text("> ")
        shell.write("/nope\n")
        shell.await_text("no command '/nope'")
        shell.await_text("> ")
        shell.write("New\n")
        shell.await_text(" 1: New")
        shell.await_text("> ")
        shell.write("\x04")
        assert shell.process.wait(100) == 0
    assert [message["content"] for message in asked(server)[1]["messages"]] == [
        "Hello",
        " 1: Hello",
        "Again",
    ]


def test_quit_ends_the_conversation(server):
    with terminal(server) as shell:
        shell.await_text("> ")
        shell.write("/quit\n")
        assert shell.process.wait(100) == 0


def test_interrupt_stops_an_answer_and_then_the_command():
    def answer(handler, _):
        begin(handler)
        event(handler, delta("thinking"))
        with contextlib.suppress(OSError):
            while True:
                time.sleep(0.05)
                event(handler, delta("."))

    with stand_in(answer, models("tiny")) as server, terminal(server) as shell:
        shell.await_text("> ")
        shell.write("Hi\n")
        shell.await_text("thinking")
        shell.write("\x03")
        shell.await_text("Stopped.")
        shell.await_text("> ")
        shell.write("\x03")
        assert shell.process.wait(100) == 130


def test_failed_answer_ends_no_conversation():
    def answer(handler, body):
        if "fail" in json.loads(body)["messages"][-1]["content"]:
            handler.send(429, b'{"error": {"message": "too many"}}')
        else:
            echo(handler, body)

    with stand_in(answer, models("tiny")) as server, terminal(server) as shell:
        shell.await_text("> ")
        shell.write("fail\n")
        shell.await_text("too many")
        shell.await_text("> ")
        shell.write("Hello\n")
        # The question that failed is forgotten.
        shell.await_text(" 1: Hello")


def test_terminal_is_not_steered_by_what_a_model_says():
    def answer(handler, _):
        begin(handler)
        event(handler, delta("a\x1b]0;title\x07b"))
        finish(handler)

    with stand_in(answer, models("tiny")) as server, terminal(server) as shell:
        shell.await_text("> ")
        shell.write("Hi\n")
        shell.await_text("a]0;titleb")


@pytest.mark.skipif(
    not (LLAMA / "libmartlet_llama.so").exists() or not SMOLLM2.exists(),
    reason="scripts/setup.sh llama llm-models makes llama.cpp and SmolLM2",
)
@pytest.mark.deadline(120)
def test_node_and_gateway_are_talked_to(martlet):
    node = martlet.serve(
        {"smollm2": SMOLLM2},
        *("--context-tokens", 512, "--max-sequences", 2),
        environment={"MARTLET_LLAMA_PATH": str(LLAMA)},
    )
    gateway = martlet.gateway([node])
    question = ("--temperature", 0, "--max-tokens", 12, "What is the capital of France?")
    told = json.loads(chat(martlet, node, "--json", *question).stdout)
    assert told["model"] == "smollm2"
    assert "Paris" in told["content"]
    assert 0 < told["usage"]["completion_tokens"] <= 12
    again = json.loads(chat(martlet, gateway, "--json", "--model", "smollm2", *question).stdout)
    assert again["content"] == told["content"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "grpc://a.b:1", "Hi"),
        ("--max-tokens", "0", "Hi"),
        ("--temperature", "3", "Hi"),
        ("--cacert", "ca.pem", "Hi"),
        # Nothing on standard input.
        (),
    ],
    ids=" ".join,
)
def test_usage_error_exits_64(martlet, arguments):
    assert martlet.run("chat", *arguments).returncode == 64


def test_help_shows_examples(martlet):
    shown = martlet.run("chat", "--help")
    assert shown.returncode == 0
    assert "EXAMPLES" in shown.stdout
