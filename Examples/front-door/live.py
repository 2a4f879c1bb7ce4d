"""What shows that something goes on: a line that changes on a terminal, lines elsewhere."""

import os
import shutil
import sys
from types import TracebackType
from typing import Self

from common.terminal import DIM, coloured, say

BAR = 24


class Live:
    """A line that is rewritten in place on a terminal, as a scope.

    In a file or a pipe nothing is ever rewritten: there only what is passed to `say` is printed.
    """

    def __init__(self) -> None:
        self.is_on = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Put the text in place of the line before."""
        if self.is_on:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{coloured(text[:width], DIM)}", end="", flush=True)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.clear()
        say(text)

    def clear(self) -> None:
        """Take the line away."""
        if self.is_on:
            print("\r\x1b[2K", end="", flush=True)


def bar(share: float) -> str:
    """A share as a bar."""
    full = round(min(max(share, 0), 1) * BAR)
    return "█" * full + "░" * (BAR - full)
