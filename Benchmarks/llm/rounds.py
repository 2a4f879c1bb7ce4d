"""One round of one row: a load is run, and what its answers tell is kept."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from measurement import LoadError, Meter, own_seconds

from llm.loads import Answers, Load
from llm.subjects import LanguageServer

T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """What one round found. Gaps are those between one token and the next of its stream."""

    requests: int
    output_tokens: int
    seconds: float
    # Output tokens a second, of all clients together.
    rate: float
    first_p50_ms: float
    first_p99_ms: float
    gap_p50_ms: float
    gap_p99_ms: float
    gap_max_ms: float
    # Share of the prompts' tokens that the server says it had in its cache.
    cached: float
    # Of the long prompts beside the streams.
    long_first_p50_ms: float | None
    long_first_max_ms: float | None
    server_cpu_seconds: float
    client_cpu_seconds: float
    server_cpu_ms: float
    client_cpu_ms: float
    resident_bytes: int
    # Of the whole machine: what neither we nor the server used, and what its host took away.
    others_busy: float
    stolen: float

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)


def measure(load: Load, server: LanguageServer, seed: str) -> Round:
    """Run a load once; raises unless every answer is whole."""
    client = server.client()
    meter, own = Meter([server]), own_seconds()
    answers = completed(load.run(client, seed))
    client_seconds = own_seconds() - own
    usage = meter.read(0.0)
    tokens, seconds = counted(answers)
    every = [*answers.streams, *answers.disturbers]
    # Processor time went into these, too, though they may be outside the window.
    all_tokens = sum(each.output_tokens for each in every)
    firsts = milliseconds([each.first_seconds for each in answers.streams])
    gaps = milliseconds(gaps_of(answers))
    longs = milliseconds([each.first_seconds for each in answers.disturbers])
    return Round(
        requests=len(every),
        output_tokens=all_tokens,
        seconds=seconds,
        rate=tokens / seconds,
        first_p50_ms=percentile(firsts, 50),
        first_p99_ms=percentile(firsts, 99),
        gap_p50_ms=percentile(gaps, 50),
        gap_p99_ms=percentile(gaps, 99),
        gap_max_ms=float(gaps.max()),
        cached=sum(each.cached_tokens for each in every)
        / sum(each.prompt_tokens for each in every),
        long_first_p50_ms=percentile(longs, 50) if answers.disturbers else None,
        long_first_max_ms=float(longs.max()) if answers.disturbers else None,
        server_cpu_seconds=usage.nodes,
        client_cpu_seconds=client_seconds,
        server_cpu_ms=usage.nodes * 1e3 / all_tokens,
        client_cpu_ms=client_seconds * 1e3 / all_tokens,
        resident_bytes=server.resident_bytes(),
        others_busy=usage.others,
        stolen=usage.stolen,
    )


def completed(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that ran to its end; raises the first fault of a group."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise first_of(group) from group


def first_of(error: BaseException) -> BaseException:
    """The first fault in groups within groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def counted(answers: Answers) -> tuple[float, float]:
    """Tokens, and the seconds they came in; with a window those of the events within."""
    if answers.window is None:
        begin = min(each.began for each in answers.streams)
        end = max(each.times[-1] for each in answers.streams)
        return sum(each.output_tokens for each in answers.streams), end - begin
    begin, end = answers.window
    tokens = 0.0
    for each in answers.streams:
        within = sum(begin <= at < end for at in each.times)
        tokens += within * each.output_tokens / len(each.times)
    return tokens, end - begin


def gaps_of(answers: Answers) -> list[float]:
    """Seconds from each token to the next; with a window those of the tokens within."""
    begin, end = answers.window or (0.0, float("inf"))
    found = [gap for each in answers.streams for at, gap in each.gaps if begin <= at < end]
    if not found:
        raise LoadError("no stream had two tokens within the time that is measured")
    return found


def milliseconds(seconds: list[float]) -> np.ndarray:
    """The same in milliseconds."""
    return np.array(seconds) * 1e3


def percentile(values: np.ndarray, share: float) -> float:
    """A percentile by linear interpolation."""
    return float(np.percentile(values, share))
