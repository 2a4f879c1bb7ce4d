"""One load: its servers are started, warmed up, and measured in turn."""

import contextlib
from collections.abc import Iterator

from peers.paths import progress

from llm import limit, loads, rounds, subjects, table, texts
from llm.subjects import LanguageServer, LlamaServer, Martlet, Setup, Variant


@contextlib.contextmanager
def started(
    setup: Setup, load: loads.Load, variants: list[Variant], ours: Martlet, group: table.Group
) -> Iterator[list[tuple[LanguageServer, table.Row]]]:
    """The servers of one load, with their rows; all are warm."""
    with contextlib.ExitStack() as scope:
        rows: list[tuple[LanguageServer, table.Row]] = [(ours, table.Row(subjects.MARTLET, True))]
        for number, variant in enumerate(variants):
            name = f"llama-server-{load.clients}-{number}"
            server = scope.enter_context(LlamaServer(setup, load, variant.flags, name))
            texts.check(variant.title, server.address, subjects.MODEL)
            rows.append((server, table.Row(variant.title, False)))
        for server, row in rows:
            progress(f"warming up {row.title}: {load.title}")
            rounds.completed(load.run(server.client(), "warm-up", warm_up=True))
            group.rows.append(row)
        yield rows


def measure(
    setup: Setup,
    load: loads.Load,
    rows: list[tuple[LanguageServer, table.Row]],
    group: table.Group,
    count: int,
) -> None:
    """The rounds of one load, each of which begins with another server."""
    for number in range(count):
        first = number % len(rows)
        for server, row in rows[first:] + rows[:first]:
            row.rounds.append(rounds.measure(load, server, f"round {number}"))
            progress(
                f"round {number + 1} of {count}, {load.title}, {row.title}: "
                f"{row.rounds[-1].rate:,.0f} tokens/s, "
                f"TTFT p99 {row.rounds[-1].first_p99_ms:,.0f} ms, "
                f"token p99 {row.rounds[-1].gap_p99_ms:,.1f} ms"
            )
        if isinstance(load, loads.SharedPrefix):
            group.limits.append(limit.measure(setup, load))
            progress(
                f"round {number + 1} of {count}, {load.title}, raw decode: "
                f"{group.limits[-1].decode_rate:,.0f} tokens/s"
            )
