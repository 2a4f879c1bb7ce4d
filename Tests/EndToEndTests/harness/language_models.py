"""Nodes that serve SmolLM2, a real language model of 135 million parameters."""

from harness.paths import LANGUAGE_MODELS
from harness.waiting import await_until

NAME = "smollm2"
FOLDER = LANGUAGE_MODELS / "smollm2-135m"

# So many tokens hold what tests ask, and are few enough to fill.
CONTEXT_TOKENS = 2048


def serve(launcher, *flags, models=None, **options):
    """A node with the model, run by llama.cpp unless the flags say otherwise: tests are to see the
    same engine whatever is installed."""
    assert FOLDER.exists(), f"{FOLDER} is missing: scripts/setup.sh llm-models makes it"
    return launcher.serve(
        models or {NAME: FOLDER},
        *("--engine", f"{NAME}=llama", "--context-tokens", CONTEXT_TOKENS),
        *flags,
        **options,
    )


def file():
    """The model's one file."""
    (found,) = FOLDER.glob("1/*.gguf")
    return found


def running(node):
    return node.rest.metrics().total("martlet_sequences_running")


def waiting(node):
    return node.rest.metrics().total("martlet_sequences_waiting")


def await_running(node, count):
    await_until(lambda: running(node) >= count, f"{count} sequences to run")


def await_idle(node, seconds=20.0):
    await_until(
        lambda: running(node) + waiting(node) == 0, "every sequence to leave the model", seconds
    )
