"""What the demo prints: headings, aligned tables, and colours where a person is watching."""

import os
import sys
from collections.abc import Sequence

GREEN, RED, DIM, BOLD = "32", "31", "2", "1"


def coloured(text: str, code: str) -> str:
    """The text in a colour on a terminal, and as it is in a file or a pipe."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def say(text: str = "") -> None:
    """Print one line now, so that progress shows even through a pipe."""
    print(text, flush=True)


def heading(text: str) -> None:
    """Print the title of the demo's next part."""
    say(f"\n{coloured(text, BOLD)}")


def verdict(good: bool, text: str) -> None:
    """Print a line with ✓ or ✗ before it."""
    say(f"  {coloured('✓', GREEN) if good else coloured('✗', RED)} {text}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int) -> None:
    """Print rows under a header; the columns from `numbers_from` on are set right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        set_out = [
            cell.rjust(width) if column >= numbers_from else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  " + "   ".join(set_out).rstrip()

    say(coloured(line(header), DIM))
    for row in rows:
        # Marks are coloured after the columns are set: a colour's bytes have no width.
        say(line(row).replace("✓", coloured("✓", GREEN)).replace("✗", coloured("✗", RED)))
