"""Workers of OpenVINO GenAI, and which engine a node has chosen."""

import contextlib
import json
import pathlib

import pytest

from harness.paths import OPENVINO_GENAI

needed = pytest.mark.skipif(
    not (OPENVINO_GENAI / "martlet_genai_worker.py").exists(),
    reason=f"{OPENVINO_GENAI} is missing: scripts/setup.sh openvino-genai makes it",
)


def engine(martlet, node):
    """The engine of the node's only model, and why it was chosen."""
    ended = martlet.run("model", "list", "--json", "--address", node.address)
    (served,) = json.loads(ended.stdout)["models"]
    return served["versions"][0]["engine"]


def worker_of(node):
    """The number of the node's worker; None while there is none."""
    children = []
    with contextlib.suppress(OSError):
        for path in pathlib.Path(f"/proc/{node.pid}/task").glob("*/children"):
            children += [int(pid) for pid in path.read_text(encoding="ascii").split()]
    workers = [pid for pid in children if b"martlet_genai_worker" in command_of(pid)]
    assert len(workers) <= 1
    return workers[0] if workers else None


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
