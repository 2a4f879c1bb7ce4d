"""Far more models than memory: each answers whoever asks, and the budget is kept."""

import concurrent.futures
import json
import os
import random
import threading

import pytest
from harness import models

MODELS = 2000
REQUESTS = 120
CLIENTS = 6
BUDGET_MIB = 48
# What the engine takes for a model beside its files is known once it is loaded: so much more may be
# taken until the next load makes room.
ENGINE_MIB = 8
MEMORY = "martlet_servable_memory_bytes"


@pytest.fixture
def root(tmp_path):
    """Two thousand models that share their files, as hard links."""
    folder = tmp_path / "models"
    first = models.model_folder(folder, "m0")
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    for number in range(1, MODELS):
        for file in files:
            copy = folder / f"m{number}" / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(first / file, copy)
    return folder


def logged(node, message):
    told = [json.loads(line) for line in node.log_lines() if line.startswith("{")]
    return [line["model"] for line in told if line["msg"] == message]


# Some hundred loads, each of which takes a busy machine most of a second.
@pytest.mark.deadline(240)
def test_random_models_are_answered_within_the_budget(martlet, root):
    node = martlet.serve(
        {},
        *("--model-root", root),
        "--load-on-demand",
        *("--memory-budget", f"{BUDGET_MIB}MiB"),
    )
    assert logged(node, "model loaded") == []
    assert node.rest.states(f"m{MODELS - 1}") == {1: "START"}

    over, done = [], threading.Event()

    def watch():
        with node.client(type(node.rest), node.address).session as session:
            while not done.is_set():
                page = session.get(f"{node.rest.url}/metrics", timeout=60).text
                taken = sum(
                    float(line.rsplit(" ", 1)[1])
                    for line in page.splitlines()
                    if line.startswith(MEMORY + "{")
                )
                if taken > (BUDGET_MIB + ENGINE_MIB) << 20:
                    over.append(taken)

    def ask(name):
        with node.client(type(node.rest), node.address).session as session:
            url = f"{node.rest.url}/v1/models/{name}:predict"
            return session.post(url, json={"instances": [3.0]}, timeout=60).json()

    chosen = random.Random(7)
    names = [f"m{chosen.randrange(MODELS)}" for _ in range(REQUESTS)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(ask, names))
            together = list(pool.map(ask, ["m500"] * CLIENTS))
    finally:
        done.set()
        watcher.join()
    assert answers == [{"predictions": [3.5]}] * REQUESTS
    assert together == [{"predictions": [3.5]}] * CLIENTS
    assert over == []
    loads = logged(node, "model loaded")
    assert len(set(loads)) == len({*names, "m500"})
    # Those who ask for the same model at once wait for the same load.
    assert loads.count("m500") <= names.count("m500") + 1
    assert len(logged(node, "model unloaded")) > 0
