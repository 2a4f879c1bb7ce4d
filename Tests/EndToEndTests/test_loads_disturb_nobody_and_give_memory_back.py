"""Large models come and go: the others answer as before, and the memory is handed back."""

import concurrent.futures
import threading
import time

import pytest
from harness import models
from harness.waiting import await_until

# Together 192 MB of variables.
BIG = ("big0", "big1", "big2")
ROUNDS = 20
# The engine's own choice would run a model twice at each load.
FLAGS = ("--engine=tensorflow", f"--load-threads={len(BIG)}")


@pytest.fixture
def node(martlet):
    served = {name: models.fixture("big") for name in BIG}
    node = martlet.serve({"half_plus_two": models.fixture("half_plus_two")} | served, *FLAGS)
    for name in BIG:
        assert node.rest.predict(name, {"instances": [0, 1]}).status_code == 200
    change(node, "unload")
    return node


def change(node, verb):
    """Loads or unloads the large models, all at once; answered when that is done."""

    def one(name):
        with node.client(type(node.rest), node.address).session as session:
            url = f"{node.rest.url}/v2/repository/models/{name}/{verb}"
            return session.post(url, json={}, timeout=60).status_code

    with concurrent.futures.ThreadPoolExecutor(len(BIG)) as pool:
        assert list(pool.map(one, BIG)) == [200] * len(BIG)


def settled_bytes(node):
    """Resident memory once it falls no more: an unload is answered before all of it is back."""
    readings = [node.resident_bytes()]

    def is_settled():
        time.sleep(0.5)
        readings.append(node.resident_bytes())
        return readings[-1] > readings[-2] - (1 << 20)

    await_until(is_settled, "resident memory to settle")
    return readings[-1]


class Asker(threading.Thread):
    """Asks for one small answer after the other, and notes how long each took."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.client = node.client(type(node.rest), node.address)
        self.seconds = []
        self.answers = set()
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            began = time.perf_counter()
            self.answers.add(self.client.predict("half_plus_two", {"instances": [1.0]}).text)
            self.seconds.append(time.perf_counter() - began)

    def finish(self):
        self.ending.set()
        self.join()
        assert len(self.answers) == 1, self.answers

    def percentile(self, share):
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))]


@pytest.mark.deadline(180)
def test_memory_is_as_at_the_start_after_twenty_loads(node):
    # What the first load and answer leave behind for good is part of the start.
    before = settled_bytes(node)
    with_models = 0
    for _ in range(ROUNDS):
        change(node, "load")
        with_models = max(with_models, node.resident_bytes())
        change(node, "unload")
    assert with_models > before + (180 << 20)
    await_until(
        lambda: node.resident_bytes() <= before * 1.1,
        f"resident memory to return to {before >> 20} MiB and a tenth",
    )
    node.assert_unharmed()


@pytest.mark.deadline(120)
def test_answers_of_others_take_little_longer_while_models_load(node):
    quiet = Asker(node)
    quiet.start()
    time.sleep(3)
    quiet.finish()
    busy, loads = Asker(node), 0
    busy.start()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        change(node, "load")
        change(node, "unload")
        loads += 1
    busy.finish()
    assert loads > 1
    assert busy.percentile(0.5) < quiet.percentile(0.5) * 5 + 0.02
    # The machine has other work too; Benchmarks/loading.py measures on a quiet one.
    assert busy.percentile(0.99) < quiet.percentile(0.99) * 10 + 0.2
