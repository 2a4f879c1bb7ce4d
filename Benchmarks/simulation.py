"""Simulations that run in the unit tests, and tables of what they find."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol

REPOSITORY = Path(__file__).resolve().parent.parent


class Row(Protocol):
    """A row of a table."""

    COLUMNS: ClassVar[tuple[str, ...]]

    def cells(self) -> list[str]:
        """The row as text."""


def run(test: str, table: str, settings: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Run the test of that name, and read the rows that it wrote.

    The environment says where it writes them, in the variable `table`, and has the settings.
    With MARTLET_SKIP_BUILD the tests are run as they were built last.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.json"
        command = ["swift", "test", "--filter", test]
        if os.environ.get("MARTLET_SKIP_BUILD"):
            command.insert(2, "--skip-build")
        subprocess.run(
            command,
            cwd=REPOSITORY,
            env=os.environ | {table: str(path)} | (settings or {}),
            check=True,
            stdout=sys.stderr,
        )
        return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows in a file."""
    return json.loads(path.read_text())


def markdown(groups: Iterable[tuple[str, Iterable[Row]]], texts: Container[str]) -> str:
    """A table for each group below its title; columns other than `texts` hold numbers."""
    parts = []
    for title, group in groups:
        rows = list(group)
        columns = rows[0].COLUMNS
        lines = [
            f"**{title[0].upper()}{title[1:]}**",
            "",
            f"| {' | '.join(columns)} |",
            f"|{''.join('---|' if column in texts else '--:|' for column in columns)}",
            *(f"| {' | '.join(row.cells())} |" for row in rows),
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
