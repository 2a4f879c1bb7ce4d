"""Flags that several benchmarks have, and how they begin and end."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from outputs import ReportError
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


def check_program(parser: argparse.ArgumentParser, program: Path, target: str) -> None:
    """Refuse the command line where there is no such program, which `make TARGET` makes."""
    if not os.access(program, os.X_OK) or program.is_dir():
        parser.error(f"no executable at {program}; `make {target}` makes it")


def check_installed(parser: argparse.ArgumentParser, program: str, package: str) -> None:
    """Refuse the command line where a program of a Debian package is not installed."""
    if shutil.which(program) is None:
        parser.error(f"no {program} on the PATH; it is in Debian's package {package}")


def check_document(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse the command line where the document to update is none."""
    if arguments.update and not arguments.update.is_file():
        parser.error(f"there is no {arguments.update}")


def run(
    measure: Callable[[], int],
    failures: tuple[type[Exception], ...] = (),
    clear: Callable[[], None] = lambda: None,
) -> int:
    """Measure, and tell in one line why that ended early: the exit code.

    SIGTERM and SIGHUP end it as Ctrl-C does, so that what it started is stopped. Beside `failures`,
    errors of reports, of files and of programs that were started are told without a traceback.
    `clear` takes away what says how far it is.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        return measure()
    except KeyboardInterrupt:
        clear()
        print("interrupted", file=sys.stderr)
        return 130
    except (ReportError, OSError, subprocess.SubprocessError, *failures) as error:
        clear()
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
