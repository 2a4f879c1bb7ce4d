"""Each peer in an environment of its own, every package pinned."""

import hashlib
import subprocess
from pathlib import Path

from peers.paths import ROOT, progress

PIP = ROOT / ".tools/python/bin/python"
PYTHON = Path("/usr/bin/python3")
INSTALL_SECONDS_MAX = 900.0


class InstallError(Exception):
    """A peer cannot be had here."""


def requirements(name: str) -> Path:
    """The file of a peer's pins."""
    return ROOT / f"Benchmarks/peers/requirements/{name}.txt"


def environment(name: str) -> Path:
    """The folder of a peer's environment."""
    return ROOT / ".tools/peers" / name


def install(name: str) -> Path:
    """Install a peer unless its pins are in place already; its Python."""
    folder, pins = environment(name), requirements(name)
    stamp, python = folder / ".stamp", folder / "bin/python"
    key = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == key:
        return python
    if not PIP.is_file():
        raise InstallError("there is no pip: scripts/setup.sh lint-tools makes one")
    progress(f"installing {name} into {folder.relative_to(ROOT)}")
    run(name, [PYTHON, "-m", "venv", "--clear", "--without-pip", folder])
    pip = [PIP, "-m", "pip", "--disable-pip-version-check", "--no-input", "--python", python]
    run(name, [*pip, "install", "--quiet", "--no-deps", "--no-compile", "-r", pins])
    stamp.write_text(key, encoding="ascii")
    return python


def run(name: str, command: list[str | Path]) -> None:
    """Run a step; its last line is the reason if it fails."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"not installed after {INSTALL_SECONDS_MAX:.0f} s") from error
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise InstallError(lines[-1])


def version(name: str, package: str) -> str:
    """The pinned version of a package, such as `1.7.1`."""
    for line in requirements(name).read_text(encoding="utf-8").splitlines():
        found, _, number = line.partition("==")
        if found == package:
            return number.strip()
    raise InstallError(f"{package} is not pinned in {requirements(name).name}")
