"""Flags that several benchmarks have."""

import argparse
import os
from pathlib import Path

from peers.paths import ROOT


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A command line that shows a description as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_martlet(parser: argparse.ArgumentParser) -> None:
    """Which build is measured."""
    parser.add_argument(
        "--martlet",
        type=Path,
        default=Path(os.environ.get("MARTLET_BINARY", ROOT / ".build/release/martlet")),
        help="a release build (default: $MARTLET_BINARY, else .build/release/martlet)",
    )


def add_rounds(
    parser: argparse.ArgumentParser, duration: float, rounds: int, quick: str, kind: type = float
) -> None:
    """How long is measured, and how often."""
    whole = ", in whole seconds" if kind is int else ""
    parser.add_argument(
        "--duration",
        type=kind,
        default=duration,
        metavar="SECONDS",
        help=f"length of one round of one row{whole} (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="rounds of each row (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help=f"{quick}: the tool works, no more")


def add_outputs(
    parser: argparse.ArgumentParser, tables: str = "the tables", figures: str = "every measurement"
) -> None:
    """Where what was found is written."""
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"write {figures}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help=f"write {tables}")
    parser.add_argument(
        "--update",
        type=Path,
        metavar="DOCUMENT",
        help=f"write {tables} between the markers of a document, such as BENCHMARKS.md",
    )
