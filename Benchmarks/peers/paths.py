"""Where things are, and how progress is said."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / ".models"
MODELS_PYTHON = ROOT / ".venv-models/bin/python"
BUILD = ROOT / "Benchmarks/.build"


def engine_folder(name: str) -> Path:
    """Where an engine's libraries are, such as those of `tensorflow`."""
    chosen = os.environ.get(f"MARTLET_{name.upper()}_PATH")
    return Path(chosen).resolve() if chosen else ROOT / ".engines" / name


def progress(text: str) -> None:
    """Say what is going on, apart from the table."""
    print(text, file=sys.stderr, flush=True)
