"""What a benchmark found: tables in Markdown, and the files that it was asked to write."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


class ReportError(Exception):
    """The table cannot be put where it was asked for."""


def line_of(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a Markdown table: names to the left, figures to the right."""
    return [line_of(head), "|---|" + "--:|" * (len(head) - 1), *map(line_of, rows)]


def update(document: Path, text: str, begin: str, end: str) -> None:
    """Replace what stands between two markers of a document."""
    head, found_begin, rest = document.read_text(encoding="utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ReportError(f"{document} lacks the lines {begin} and {end}")
    document.write_text(f"{head}{begin}\n{text}{end}{tail}", encoding="utf-8")


def write_json(path: Path | None, figures: Any, indent: int | None = 1) -> None:
    """Write figures, if a file was named."""
    if path:
        path.write_text(json.dumps(figures, indent=indent) + "\n", encoding="utf-8")


def write(
    arguments: argparse.Namespace,
    text: str,
    figures: Any,
    markers: tuple[str, str] | None = None,
    indent: int | None = 1,
) -> None:
    """Write what the flags of `options.add_outputs` ask for.

    Without markers no document is updated: the benchmark has no such flag, or does that itself.
    """
    write_json(arguments.json, figures, indent)
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    if markers and arguments.update:
        update(arguments.update, text, *markers)
