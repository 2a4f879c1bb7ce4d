"""Real gateways and nodes for `balancers_real.py`, and what became of their requests."""

import os
import sys

from peers.paths import ROOT

# Read when the harness is imported. Times of a debug build, its default, say nothing.
os.environ.setdefault("MARTLET_BINARY", str(ROOT / ".build/release/martlet"))
sys.path.append(str(ROOT / "Tests/EndToEndTests"))
