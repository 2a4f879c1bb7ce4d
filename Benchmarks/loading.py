#!/usr/bin/env python3
"""Answer times of one model while nothing loads, and while another of 500 MB loads and unloads.

One client a protocol asks half_plus_two for one number after the other. A third kind of round is
the limit: another process fills and frees 500 MB at the lowest priority, as a program that is not
the node at all would. Rounds of the kinds take turns, so that what disturbs the machine disturbs
all.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from end_to_end import launching
from harness import models
from harness.load import GrpcCaller, RestCaller
from harness.processes import Node
from peers.paths import ROOT

BIG = ROOT / ".models/loading-500mb"
MAKE_BIG = """
import sys, tensorflow as tf
module = tf.Module()
# 125 variables of 4 MB, as a network has many rather than one.
module.weights = [tf.Variable(tf.random.stateless_normal([1 << 20], [n, 0])) for n in range(125)]
module.f = tf.function(
    lambda x: x + tf.add_n([w[0] for w in module.weights]),
    input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
tf.saved_model.save(module, sys.argv[1], signatures=module.f)
"""
# What a load does to the machine, by a process of its own.
FILL = """
import os, time
os.nice(19)
while True:
    memory = [bytearray(os.urandom(1 << 12)) * (1 << 10) for _ in range(125)]
    del memory
    time.sleep(0.3)
"""
QUIET, LOADING, ELSEWHERE = (
    "nothing loads",
    "500 MB load and unload",
    "another process fills 500 MB",
)
KINDS = (QUIET, LOADING, ELSEWHERE)
PERCENTILES = (0.5, 0.99, 0.999)


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a round (%(default)g)")
    arguments = parser.parse_args()
    if not (BIG / "1/saved_model.pb").is_file():
        python = ROOT / ".venv-models/bin/python"
        subprocess.run([python, "-c", MAKE_BIG, BIG / "1"], check=True)
    found: dict[tuple[str, str], list[list[float]]] = {}
    loads = 0
    with launching("loading") as launcher:
        folder = launcher.directory
        served = {"half_plus_two": models.fixture("half_plus_two"), "big": folder / "big"}
        served["big"].mkdir()
        node = launcher.serve(served, "--poll-interval-seconds=0.2", ready="live")
        node.await_state("half_plus_two", 1, "AVAILABLE")
        for position in range(len(KINDS) * arguments.rounds):
            meanwhile = KINDS[position % len(KINDS)]
            times, count = one_round(node, folder, arguments.seconds, meanwhile)
            loads += count
            for kind, seconds in times.items():
                found.setdefault((kind, meanwhile), []).append(seconds)
        niceness = engine_niceness(node)
    print(f"{arguments.rounds} rounds of {arguments.seconds:g} s each; loads of 500 MB: {loads};")
    print(f"niceness of TensorFlow's threads: {niceness}")
    print("| asked by | meanwhile | requests | p50 ms | p99 ms | p99.9 ms | p99 of the rounds |")
    print("| --- | --- | --: | --: | --: | --: | --: |")
    for (kind, meanwhile), rounds in sorted(found.items(), key=lambda entry: entry[0][0]):
        print(row(kind, meanwhile, rounds))
    return 0


def row(kind: str, meanwhile: str, rounds: list[list[float]]) -> str:
    """Medians of the rounds' percentiles."""
    figures = [[percentile(times, share) * 1000 for times in rounds] for share in PERCENTILES]
    medians = " | ".join(f"{statistics.median(values):.2f}" for values in figures)
    spread = f"{min(figures[1]):.2f}-{max(figures[1]):.2f}"
    return f"| {kind} | {meanwhile} | {sum(map(len, rounds))} | {medians} | {spread} |"


def percentile(times: list[float], share: float) -> float:
    """The time that this share of the requests did not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def one_round(
    node: Node, folder: Path, seconds: float, meanwhile: str
) -> tuple[dict[str, list[float]], int]:
    """Answer times by protocol, and how often the big model was loaded meanwhile."""
    ending = threading.Event()
    times: dict[str, list[float]] = {"REST": [], "gRPC": []}
    callers = {"REST": RestCaller(node.address), "gRPC": GrpcCaller(node.address)}
    threads = [
        threading.Thread(target=ask, args=(callers[kind], times[kind], ending), daemon=True)
        for kind in times
    ]
    for thread in threads:
        thread.start()
    filler = subprocess.Popen([sys.executable, "-c", FILL]) if meanwhile == ELSEWHERE else None
    end = time.monotonic() + seconds
    loads = 0
    while time.monotonic() < end:
        if meanwhile != LOADING:
            time.sleep(0.1)
            continue
        version = folder / "big/1"
        models_link(version)
        node.await_state("big", 1, "AVAILABLE", 60.0)
        shutil.rmtree(version)
        node.await_state("big", 1, "END", 60.0)
        loads += 1
    ending.set()
    if filler:
        filler.kill()
        filler.wait()
    for thread in threads:
        thread.join()
    return times, loads


def models_link(version: Path) -> None:
    """Puts the big version in place at once; its files are hard links where they can be."""
    staging = version.parent.parent / "staging"
    try:
        shutil.copytree(BIG / "1", staging, copy_function=lambda a, b: Path(b).hardlink_to(a))
    except (OSError, shutil.Error):
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(BIG / "1", staging)
    staging.rename(version)


def ask(caller: RestCaller | GrpcCaller, times: list[float], ending: threading.Event) -> None:
    """One request after the other; a failure ends the benchmark's thread with its reason."""
    while not ending.is_set():
        began = time.perf_counter()
        caller.ask()
        times.append(time.perf_counter() - began)
        time.sleep(0.001)
    caller.client.close()


def engine_niceness(node: Node) -> str:
    """How far each of TensorFlow's threads stands back, from the kernel."""
    found = []
    for task in Path(f"/proc/{node.pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("tf_"):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            found.append(f"{name} {fields[16]}")
    return ", ".join(sorted(found))


if __name__ == "__main__":
    sys.exit(main())
