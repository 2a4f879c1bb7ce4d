"""The tables of the demo."""

from collections.abc import Sequence
from itertools import pairwise

import music
import numpy as np
from common.terminal import table
from load import Sample
from notes import Comparison
from outage import Outage

PHASES = {"before": "before", "during": "node down", "after": "after"}
APIS = ("REST", "gRPC")


def show_transcription(comparison: Comparison) -> None:
    """Print, for each chord, the notes played and the notes recognised."""
    heard = {true: f"{note.name} ✓" for true, note in comparison.found}
    rows: list[list[str]] = []
    for index, chord in enumerate(music.PROGRESSION):
        true = music.notes_of(chord, music.chord_start_seconds(index))
        extra = [note for note in comparison.invented if music.chord_index(note) == index]
        rows.append(
            [
                chord.name,
                "  ".join(note.name for note in true),
                "  ".join(heard.get(note, "-- ✗") for note in true),
                "  ".join(f"{note.name} ✗" for note in extra) or "-",
            ]
        )
    table(["chord", "played", "recognised", "heard but not played"], rows, numbers_from=4)


def show_phases(
    samples: list[Sample], outage: Outage, node_counts: Sequence[dict[str, int]]
) -> None:
    """Print what clients and gateway saw before, during and after the outage.

    `node_counts` holds the gateway's counters at the four moments that bound the phases.
    """
    by_phase = [[sample for sample in samples if outage.phase(sample) == phase] for phase in PHASES]
    failed = [sum(sample.problem is not None for sample in chosen) for chosen in by_phase]
    rows = [
        ["requests", *(str(len(chosen)) for chosen in by_phase)],
        ["failed", *map(str, failed)],
    ]
    for api in APIS:
        for percent in (50, 99):
            cells = [percentile(chosen, api, percent) for chosen in by_phase]
            rows.append([f"{api} latency, p{percent}", *cells])
    for name in node_counts[0]:
        steps = [growth(before[name], after[name]) for before, after in pairwise(node_counts)]
        rows.append([f"sent to {name}", *map(str, steps)])
    table(["", *PHASES.values()], rows, numbers_from=1)


def growth(before: int, after: int) -> int:
    """How far a counter went; one that is lower than before began anew."""
    return after - before if after >= before else after


def percentile(samples: list[Sample], api: str, percent: int) -> str:
    """A percentile of the latencies of one API, in words."""
    waits = [sample.latency_seconds * 1000 for sample in samples if sample.api == api]
    return f"{np.percentile(waits, percent):.0f} ms" if waits else "-"
