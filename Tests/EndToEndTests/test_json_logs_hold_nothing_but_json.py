"""What native code prints to standard error becomes log lines, also when it is its last words."""

import json
import os
import pathlib
import signal

import pytest
from harness.waiting import await_until

FLAGS = ("--log-format=json",)
# What libraries print: TensorFlow's two forms, LiteRT's, the C library's, and bytes of no text.
LINES = [
    (b'2026-11-29 02:25:25.000001: E tensorflow/core/x.cc:1] it "failed"', "error"),
    (b"E0000 00:00:1732847125.000001    4711 file.cc:12] no", "error"),
    (b"I0000 00:00:1732847125.000001    4711 file.cc:12] hello", "info"),
    (b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", "info"),
    (b"malloc(): corrupted top size", "warning"),
    (b"no text: \xff\x00\x1b[31m", "warning"),
]
LAST_WORDS = b"2026-11-29 02:25:25.000001: F tensorflow/core/x.cc:1] Check failed: 1 == 2"


def print_as(node, data):
    """Prints as a library in the node's process would."""
    with open(f"/proc/{node.pid}/fd/2", "wb", buffering=0) as standard_error:
        standard_error.write(data)


def entries(node):
    """Each line of the log, all of which must be JSON."""
    return [json.loads(line) for line in node.log_lines()]


def printed(node):
    return [(line["text"], line["level"]) for line in entries(node) if "text" in line]


def test_lines_of_libraries_become_log_lines(martlet):
    node = martlet.serve(("half_plus_two",), *FLAGS)
    before = len(printed(node))
    for line, _ in LINES:
        print_as(node, line + b"\n")
    expected = [(line.decode(errors="replace"), level) for line, level in LINES]
    await_until(lambda: printed(node)[before:] == expected, "the lines to be logged")
    node.assert_unharmed()
    print_as(node, b"a line that does not end")
    node.stop()
    assert printed(node)[-1] == ("a line that does not end", "warning")


@pytest.mark.parametrize(
    "number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGILL, signal.SIGBUS], ids=lambda n: n.name
)
def test_last_words_of_a_crash_are_logged(martlet, number):
    # Swift's own report of a crash is text for people, and takes its time.
    quick = {"SWIFT_BACKTRACE": "enable=no"}
    node = martlet.serve(("half_plus_two",), *FLAGS, environment=quick)
    for count in range(200):
        print_as(node, b"%d of many\n" % count)
    print_as(node, LAST_WORDS + b"\n")
    node.send(number)
    assert node.wait() == -number
    lines = printed(node)
    assert lines[-1] == (LAST_WORDS.decode(), "critical")
    assert [text for text, _ in lines if text.endswith("of many")] == [
        f"{count} of many" for count in range(200)
    ]


def test_printing_does_not_wait_for_a_log_that_nobody_reads(martlet):
    """A node whose standard error is a full pipe answers on, whatever is printed."""
    log = martlet.directory / "node-1.stderr"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        node = martlet.serve(("half_plus_two",), *FLAGS)
        for count in range(2000):
            print_as(node, b"%04d " % count + b"x" * 500 + b"\n")
        node.assert_unharmed()
        node.stop()
    finally:
        os.close(reader)
        log.unlink()
        log.touch()


def test_text_is_left_as_it_is(martlet):
    node = martlet.serve(("half_plus_two",), "--log-format=text")
    assert os.readlink(f"/proc/{node.pid}/fd/2") == str(pathlib.Path(node.log).resolve())
