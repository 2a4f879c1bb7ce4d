"""The most that the library itself decodes: llama.cpp's own `llama-batched-bench`."""

import json
import subprocess
from dataclasses import asdict, dataclass

from measurement import LoadError

from llm.loads import SharedPrefix
from llm.subjects import Setup

SECONDS_MAX = 600.0


@dataclass(frozen=True)
class Limit:
    """One run: so many sequences, all prompts first and then all tokens in step."""

    sequences: int
    # Tokens a second while nothing is done but decode.
    decode_rate: float
    # Tokens a second, the time for those parts of the prompts counted that no cache can hold.
    whole_rate: float

    def as_json(self) -> dict[str, float | int]:
        """The same as a JSON object."""
        return asdict(self)


def measure(setup: Setup, load: SharedPrefix) -> Limit:
    """Run once; for a single sequence with one thread too, and the faster counts."""
    threads = {setup.threads, 1} if load.clients == 1 else {setup.threads}
    found = [run(setup, load, each) for each in sorted(threads)]
    return max(found, key=lambda each: each.decode_rate)


def run(setup: Setup, load: SharedPrefix, threads: int) -> Limit:
    """Run once with so many threads for decode."""
    command = [
        *(setup.programs / "llama-batched-bench", "-m", setup.weights),
        *("-c", load.clients * load.context_tokens, "--no-kv-unified"),
        *("-t", threads, "-tb", setup.threads, "--output-format", "jsonl"),
        *("-npp", load.prompt_tokens, "-ntg", load.output_tokens, "-npl", load.clients),
    ]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise LoadError(f"llama-batched-bench failed: {done.stderr[-1000:]}")
    figures = json.loads(lines[-1])
    tokens = load.clients * load.output_tokens
    own_share = 1 - load.prefix_tokens / load.prompt_tokens
    seconds = figures["t_tg"] + own_share * figures["t_pp"]
    return Limit(load.clients, tokens / figures["t_tg"], tokens / seconds)
