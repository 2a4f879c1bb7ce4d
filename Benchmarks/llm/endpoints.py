"""Two nodes behind a gateway: what balancing by prompts' beginnings is worth with real caches.

Each algorithm has nodes and a gateway of its own in each round, so that none finds what another
one left in the caches. Each turn has the conversations in another order, the same for all
algorithms: in an order that stays, as many conversations as nodes divide would find their node
again by round robin alone.
"""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import machine
import servers
from measurement import Meter
from peers.paths import progress

from llm import subjects, texts
from llm.loads import Answers, Conversations
from llm.rounds import completed, counted, milliseconds, percentile
from llm.stream import Client
from llm.subjects import Martlet, Setup

NODES = 2
ROUND_ROBIN, PREFIX_AWARE = "round-robin", "prefix-aware"
ALGORITHMS = (ROUND_ROBIN, "least-request", PREFIX_AWARE)
# Of the conversations those that each node has room for: more than its half, as no balancing is
# exact, and far from all of them.
HELD_SHARE = 5 / 8
PROMPTS = "martlet_prompt_tokens_total"
HITS = "martlet_prefix_cache_hit_tokens_total"
GENERATED = "martlet_generated_tokens_total"


class LanguageGateway(servers.Gateway):
    """`martlet gateway` with an algorithm, before nodes with language models."""

    def __init__(self, martlet: Path, nodes: Sequence[Martlet], algorithm: str, folder: Path):
        super().__init__(
            f"gateway-{algorithm}", martlet, nodes, folder, [f"--balancing={algorithm}"]
        )

    def client(self) -> Client:
        """What asks it."""
        return Client(self.name, self.address, subjects.MODEL)


@dataclass(frozen=True)
class NodeTokens:
    """What a node has counted, by its metrics."""

    prompt: int
    hits: int
    generated: int

    @staticmethod
    def of(node: Martlet) -> "NodeTokens":
        """The counters as they are now."""
        counts = [
            servers.totals(node.address, name, {}, "model").get(subjects.MODEL, 0)
            for name in (PROMPTS, HITS, GENERATED)
        ]
        return NodeTokens(*counts)

    def __sub__(self, other: "NodeTokens") -> "NodeTokens":
        return NodeTokens(
            self.prompt - other.prompt, self.hits - other.hits, self.generated - other.generated
        )


@dataclass(frozen=True)
class Round:
    """One algorithm, one run of the load."""

    requests: int
    output_tokens: int
    seconds: float
    # Output tokens a second, of all clients together.
    rate: float
    first_p50_ms: float
    first_p99_ms: float
    # Shares of the prompts' tokens that were cached: as answers say, as the nodes count, and of
    # those alone that are behind the beginning which all conversations have in common.
    cached: float
    cached_by_metrics: float
    cached_own: float
    # The most that `cached` and `cached_own` can be: all but the questions.
    cached_most: float
    cached_own_most: float
    # Of the node that got the most, how many times the mean: tokens of prompts and answers, and of
    # prompts those that were computed.
    imbalance: float
    computed_imbalance: float
    nodes: list[NodeTokens]
    retries: int
    # Of the whole machine: what neither we nor the servers used, and what its host took away.
    others_busy: float
    stolen: float

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)


@contextlib.contextmanager
def site(
    setup: Setup, load: Conversations, held: int, algorithm: str
) -> Iterator[tuple[LanguageGateway, list[Martlet]]]:
    """Fresh nodes with room for so many conversations each, and a gateway before them."""
    with contextlib.ExitStack() as scope:
        nodes = [
            scope.enter_context(Martlet(setup, load.context_tokens, held, f"node-{number + 1}"))
            for number in range(NODES)
        ]
        gateway = LanguageGateway(setup.martlet, nodes, algorithm, setup.folder)
        yield scope.enter_context(gateway), nodes


def measure(
    setup: Setup, load: Conversations, held: int, algorithm: str, number: int, rounds: int
) -> Round:
    """One round of one algorithm; raises unless every answer is whole."""
    setup = replace(setup, threads=threads_of_each(setup))
    with site(setup, load, held, algorithm) as (gateway, nodes):
        texts.check(nodes[0].name, nodes[0].address, subjects.MODEL)
        completed(load.run(gateway.client(), "warm-up", warm_up=True))
        found = run(load, gateway, nodes, f"round {number}")
    progress(
        f"round {number + 1} of {rounds}, {algorithm}: {found.cached:.1%} cached "
        f"({found.cached_own:.1%} of what is not everybody's), {found.rate:,.0f} tokens/s, "
        f"TTFT p50 {found.first_p50_ms:,.0f} ms, p99 {found.first_p99_ms:,.0f} ms, "
        f"imbalance {found.imbalance:.2f}"
    )
    return found


def run(
    load: Conversations, gateway: LanguageGateway, nodes: Sequence[Martlet], seed: str
) -> Round:
    """Ask through the gateway, and read what nodes and gateway counted meanwhile."""
    before = [NodeTokens.of(node) for node in nodes]
    retries, meter = gateway.retries(), Meter(nodes, gateway)
    answers = completed(load.run(gateway.client(), seed))
    usage = meter.read(0.0)
    tokens, seconds = counted(answers)
    firsts = milliseconds([each.first_seconds for each in answers.streams])
    at_nodes = [NodeTokens.of(node) - old for node, old in zip(nodes, before, strict=True)]
    return Round(
        requests=len(answers.streams),
        output_tokens=round(tokens),
        seconds=seconds,
        rate=tokens / seconds,
        first_p50_ms=percentile(firsts, 50),
        first_p99_ms=percentile(firsts, 99),
        **shares(load, answers),
        cached_by_metrics=sum(each.hits for each in at_nodes)
        / sum(each.prompt for each in at_nodes),
        imbalance=imbalance([each.prompt + each.generated for each in at_nodes]),
        computed_imbalance=imbalance([each.prompt - each.hits for each in at_nodes]),
        nodes=at_nodes,
        retries=gateway.retries() - retries,
        others_busy=usage.others,
        stolen=usage.stolen,
    )


def shares(load: Conversations, answers: Answers) -> dict[str, float]:
    """How much of the prompts was cached, as answers say, and how much of it could have been."""
    streams, common = answers.streams, load.prefix_tokens
    prompts = sum(each.prompt_tokens for each in streams)
    own = prompts - common * len(streams)
    questions = load.question_tokens * len(streams)
    return {
        "cached": sum(each.cached_tokens for each in streams) / prompts,
        "cached_own": sum(max(0, each.cached_tokens - common) for each in streams) / own,
        "cached_most": 1 - questions / prompts,
        "cached_own_most": 1 - questions / own,
    }


def imbalance(counts: Sequence[int]) -> float:
    """The greatest beside the mean."""
    return max(counts) * len(counts) / sum(counts) if any(counts) else 1.0


def threads_of_each(setup: Setup) -> int:
    """The threads of one node: all nodes together have as many as were asked for."""
    return max(1, setup.threads // NODES)


def settings(setup: Setup, load: Conversations, held: int) -> list[str]:
    """What a reader must know to do the same again."""
    threads = threads_of_each(setup)
    return [
        f"Martlet {setup.martlet_version()} ({machine.commit(subjects.ROOT)})",
        f"{setup.weights.name}; {NODES} nodes, threads of each: {threads}; more flags for them: "
        f"{shlex.join(setup.martlet_flags) or 'none'}",
        f"{load.title} over {load.clients} clients, each turn in another order",
        f"KV memory of each node: room for {held} of the {load.count} conversations "
        f"({held * load.context_tokens:,} tokens)",
    ]
