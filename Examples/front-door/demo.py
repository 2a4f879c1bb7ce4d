#!/usr/bin/env python3
"""Martlet's front door: TLS, keys, a cache, a canary, and a node killed under load.

Three nodes serve two versions of a small model behind a gateway. The demo asks with and without a
key, asks the same again, lets version 2 take over from version 1 step by step, kills a node while
clients keep asking, and says at the end whether everything was as promised.
"""

import argparse
import os
import shutil
import socket
import ssl
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import requests
from common.promises import Promises
from common.run import run_demo
from common.terminal import heading, say, table
from front_door import MODEL, FrontDoor, FrontDoorError
from live import Live, bar
from load import Client, Load, Reply, Sample
from model import Model, draw, save, train

ROOT = Path(__file__).resolve().parents[2]

ROWS = {1: 60, 2: 5000}
QUESTIONS = 20
REPEATS = 10
CANARY_SECONDS_MAX = 20.0
OUTAGE_SECONDS = 2.5
RETURN_SECONDS_MAX = 12.0
STEADY_SECONDS = 1.5
WATCH_SECONDS = 0.1
LIBRARIES = {"TENSORFLOW": "tensorflow", "LITERT": "litert", "OPENVINO": "openvino"}


@dataclass
class Story:
    """When what happened, by the load's clock."""

    weights: list[float] = field(default_factory=list)
    killed: float | None = None
    healthy_again: float | None = None
    retries: int = 0

    def phase(self, sample: Sample) -> str:
        """Where a request belongs: one that was under way at the kill counts as `node down`."""
        if self.killed is None or sample.start_seconds + sample.latency_seconds < self.killed:
            return "canary"
        if self.healthy_again is None or sample.start_seconds < self.healthy_again:
            return "node down"
        return "after"


def main() -> int:
    """Run the demo; 0 if every promise was kept."""
    arguments = parse_arguments()
    return run_demo(lambda promises: run(arguments, promises))


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = argparse.ArgumentParser(
        description="A gateway with TLS, keys, a cache, a canary, and a node killed under load."
    )
    parser.add_argument(
        "--martlet",
        type=Path,
        default=Path(os.environ.get("MARTLET_BINARY", ROOT / ".build/release/martlet")),
        help="the martlet executable (default: $MARTLET_BINARY, else %(default)s)",
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=ROOT / ".build/front-door",
        help="where files and logs go; what was there goes (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if not os.access(arguments.martlet, os.X_OK) or arguments.martlet.is_dir():
        parser.error(f"no executable at {arguments.martlet}; `make demo` builds it")
    folder = arguments.output_dir
    if folder.exists() and any(folder.iterdir()) and not (folder / "models.txt").exists():
        parser.error(f"{folder} holds something else; name another folder")
    return arguments


def environment() -> dict[str, str]:
    """This environment, and where set-up puts the engines, if it does not say."""
    default = {
        f"MARTLET_{name}_PATH": str(ROOT / ".engines" / folder)
        for name, folder in LIBRARIES.items()
        if (ROOT / ".engines" / folder).is_dir()
    }
    return {**default, **os.environ}


def run(arguments: argparse.Namespace, promises: Promises) -> None:
    """Tell the story with processes that are stopped at its end, however it ends."""
    folder = arguments.output_dir.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    door = FrontDoor(arguments.martlet.resolve(), folder, environment())
    try:
        with door:
            tell(door, promises)
    except (FrontDoorError, requests.RequestException) as error:
        promises.fail(str(error))
    finally:
        promises.check(
            not door.stop_problems, "all processes stopped cleanly", "; ".join(door.stop_problems)
        )


def tell(door: FrontDoor, promises: Promises) -> None:
    """The demo's story, part by part."""
    heading("1. A model in two versions, three nodes, a gateway with TLS and keys")
    versions = make_models(door.folder)
    key = start(door)
    heading("2. Who may ask")
    ask_with_and_without_key(door, key, promises)
    heading("3. The same question again")
    ask_again(door, key, promises)
    heading("4. Version 2 takes over, and a node is killed")
    story = Story()
    with Load(door.address, door.authority, key, versions) as load:
        watch_canary(door, load, story)
        lose_a_node(door, load, story)
    say()
    summarise(load.samples, story)
    judge(load.samples, story, promises)
    heading("5. Files")
    for name in ("gateway.yaml", "credentials.yaml", "certs", "gateway.log"):
        say(f"  {door.folder / name}")


def make_models(folder: Path) -> dict[int, Model]:
    """Train and write both versions, and say how good they are."""
    test = draw(5000, seed=3)
    versions = {number: train(draw(rows, seed=number)) for number, rows in ROWS.items()}
    for number, model in versions.items():
        save(model, folder / "models" / MODEL / str(number))
        judged = f"{model.accuracy(test):.1%} of payments judged rightly"
        say(f"  {MODEL}, version {number}: trained on {ROWS[number]:,} payments, {judged}")
    return versions


def start(door: FrontDoor) -> str:
    """Make certificates and a key, and start everything; the key."""
    began = time.monotonic()

    def step(text: str) -> None:
        live.say(f"  {time.monotonic() - began:4.1f} s  {text}")

    with Live() as live:
        live.show("  martlet certs init; martlet certs node --host localhost --host 127.0.0.1")
        door.make_certificates()
        step("martlet certs: an authority, and a certificate for the gateway")
        key = door.make_key()
        step(f"martlet key new: a key for the model {MODEL}, of which only a digest is kept")
        live.show("  martlet serve, three times")
        door.start_nodes()
        step(f"nodes at {', '.join(node.address for node in door.nodes)}")
        live.show("  martlet gateway --config gateway.yaml")
        door.start_gateway()
        step(f"gateway at https://{door.address}")
    return key


def ask_with_and_without_key(door: FrontDoor, key: str, promises: Promises) -> None:
    """Ask by no key, a wrong one, and the right one."""
    rows: list[list[str]] = []
    statuses: list[int] = []
    keys = {"no key": None, "a wrong key": "mk_wrong", "the key": key}
    for who, shown in keys.items():
        client = Client(door.address, door.authority, shown)
        reply = client.ask(draw(1, seed=4).features)
        client.close()
        statuses.append(reply.status)
        rows.append([who, str(reply.status), reply.text[:60]])
    table(["", "status", "answer"], rows, numbers_from=3)
    promises.check(
        statuses == [401, 401, 200],
        "without a good key 401, with one 200",
        f"without a key, with a wrong and the right one: {statuses}, not 401, 401 and 200",
    )
    spoken = tls_version(door)
    say(f"  {spoken}")
    promises.check(spoken == "TLSv1.3", "by TLS 1.3", f"by {spoken}, not TLS 1.3")


def tls_version(door: FrontDoor) -> str:
    """The version of TLS that gateway and client agree upon."""
    host, port = door.address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=door.authority)
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.version() or "nothing"


def ask_again(door: FrontDoor, key: str, promises: Promises) -> None:
    """Ask some questions again and again; only the first time a node may be needed."""
    client = Client(door.address, door.authority, key)
    questions = [draw(1, seed=100 + number).features for number in range(QUESTIONS)]
    first = [client.ask(question) for question in questions]
    again = [client.ask(question) for _ in range(REPEATS) for question in questions]
    client.close()
    hits = sum(reply.from_cache == "hit" for reply in again)
    rows = [
        [what, str(len(replies)), shown_ms(middle(replies))]
        for what, replies in (("by a node", first), ("again", again))
    ]
    table(["", "requests", "p50"], rows, numbers_from=1)
    counted = door.policy()["cache"]["hits"]
    say(f"  {hits} of {len(again)} from the cache; the gateway counted {counted}")
    same = all(
        reply.scores is not None
        and asked.scores is not None
        and np.array_equal(reply.scores, asked.scores)
        for number, reply in enumerate(again)
        for asked in (first[number % QUESTIONS],)
    )
    promises.check(
        hits == len(again) == counted and same,
        f"{hits} of {len(again)} repeated questions answered from the cache, with equal answers",
        f"{hits} of {len(again)} repeated questions from the cache, {counted} by the gateway's "
        f"count; equal answers: {same}",
    )


def middle(replies: list[Reply]) -> float:
    """The median wait in milliseconds."""
    return statistics.median(reply.seconds * 1000 for reply in replies)


def shown_ms(milliseconds: float) -> str:
    """A time with as many digits as tell something."""
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def watch_canary(door: FrontDoor, load: Load, story: Story) -> None:
    """Let version 2 take over under load, and follow it until it has, or time is up."""
    time.sleep(STEADY_SECONDS)
    door.begin_canary()
    deadline = time.monotonic() + CANARY_SECONDS_MAX
    with Live() as live:
        live.say(f"  {load.seconds:5.1f} s  gateway.yaml gets a canary, and is read again")
        while time.monotonic() < deadline:
            canary = canary_of(door)
            weight, state = canary["weight"], canary["state"]
            if not story.weights or story.weights[-1] != weight:
                story.weights.append(weight)
                live.say(f"  {load.seconds:5.1f} s  version 2 gets {bar(weight)} {weight:4.0%}")
            if state in ("completed", "rolled_back"):
                live.say(f"  {load.seconds:5.1f} s  the canary is {state.replace('_', ' ')}")
                return
            live.show(progress(load))
            time.sleep(WATCH_SECONDS)
        live.say(f"  the canary is still {state} after {CANARY_SECONDS_MAX:.0f} s")


def canary_of(door: FrontDoor) -> dict[str, Any]:
    """How the canary stands."""
    routes = door.policy()["routes"]
    canary: dict[str, Any] = next(route["canary"] for route in routes if "canary" in route)
    return canary


def progress(load: Load) -> str:
    """What the load has done up to now."""
    return f"  {load.seconds:5.1f} s  {len(load.samples):,} requests, {load.failed} failed"


def lose_a_node(door: FrontDoor, load: Load, story: Story) -> None:
    """Kill a node, see what the gateway makes of it, and start it again."""
    before = door.retries()
    victim = door.nodes[-1]
    with Live() as live:

        def watch(seconds: float, until_healthy: bool | None = None) -> bool:
            """Follow the load; whether the victim became what it should, if that is asked."""
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                is_used = victim.address in door.healthy()
                if until_healthy is not None and is_used == until_healthy:
                    return True
                live.show(progress(load))
                time.sleep(WATCH_SECONDS)
            return False

        story.killed = load.seconds
        live.say(f"  {load.seconds:5.1f} s  kill -9 {victim.process.pid} ({victim.name})")
        door.kill(victim)
        if watch(OUTAGE_SECONDS, until_healthy=False):
            live.say(f"  {load.seconds:5.1f} s  the gateway does not use {victim.name} any more")
        watch(OUTAGE_SECONDS)
        live.say(f"  {load.seconds:5.1f} s  {victim.name} is started again")
        door.revive(victim)
        if watch(RETURN_SECONDS_MAX, until_healthy=True):
            story.healthy_again = load.seconds
            live.say(f"  {load.seconds:5.1f} s  {victim.name} is healthy")
        watch(STEADY_SECONDS)
    story.retries = door.retries() - before


def summarise(samples: list[Sample], story: Story) -> None:
    """Print what the clients saw, by what was going on."""
    phases = ("canary", "node down", "after")
    chosen = [[sample for sample in samples if story.phase(sample) == phase] for phase in phases]
    rows = [
        ["requests", *(str(len(some)) for some in chosen)],
        ["failed", *(str(sum(one.problem is not None for one in some)) for some in chosen)],
        *(
            [f"by version {number}", *(str(sum(o.version == number for o in s)) for s in chosen)]
            for number in ROWS
        ),
        *([f"p{percent}", *(percentile(some, percent) for some in chosen)] for percent in (50, 99)),
    ]
    table(["", *phases], rows, numbers_from=1)
    say(f"  requests that the gateway sent a second time: {story.retries}")


def percentile(samples: list[Sample], percent: int) -> str:
    """A percentile of the latencies, in words."""
    waits = [sample.latency_seconds * 1000 for sample in samples]
    return shown_ms(float(np.percentile(waits, percent))) if waits else "-"


def judge(samples: list[Sample], story: Story, promises: Promises) -> None:
    """The canary must have stepped up to the end, no request failed, and the node be back."""
    steps = ", ".join(f"{weight:.0%}" for weight in story.weights)
    rising = story.weights == sorted(story.weights) and len(story.weights) >= 3
    late = [sample for sample in samples if story.phase(sample) == "after"]
    all_new = bool(late) and all(sample.version == 2 for sample in late if not sample.problem)
    promises.check(
        rising and story.weights[-1] == 1 and all_new,
        f"version 2 took over in steps: {steps}",
        f"version 2 did not take over in steps to the end: {steps}",
    )
    problems = [sample.problem for sample in samples if sample.problem is not None]
    reasons = "".join(f"\n    {reason}" for reason in sorted(set(problems))[:3])
    promises.check(
        bool(samples) and not problems,
        f"none of {len(samples):,} requests failed, and every answer was right",
        f"{len(problems)} of {len(samples):,} requests failed:{reasons}",
    )
    killed, back = story.killed, story.healthy_again
    took = f"{back - killed:.1f} s" if back is not None and killed is not None else ""
    promises.check(
        back is not None,
        f"the killed node served again {took} after kill -9",
        "the killed node did not come back",
    )


if __name__ == "__main__":
    sys.exit(main())
