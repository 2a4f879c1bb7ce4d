"""Quotas of keys behind several gateways, which tell each other through Redis what they let in."""

import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time

import pytest
from harness.clients import RestClient
from harness.faults import well_by_its_word
from harness.policies import counting_node, follow, pool
from harness.sockets import free_ports, listens
from harness.stand_ins import stand_in
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

PREDICT = "/v1/models/half_plus_two:predict"
OTHER = "/v1/models/other:predict"
BODY = '{"instances": [1.0]}'
ALICE = "mk_alice-3Jq9rXoHnB7vS1kYwLz5"

# A burst of a quarter of a second, so that what bursts add does not hide what is shared.
RATE, BURST = 20, 5
LIMITED = {"requests_per_second": RATE, "burst": BURST}


class Redis:
    """A Redis server without a memory of its own, on one port each time that it starts."""

    def __init__(self, folder):
        # Debian's redis-tools has the server under another name, by which it would check a file.
        self.program = folder / "redis-server"
        self.program.symlink_to(shutil.which("redis-server") or shutil.which("redis-check-rdb"))
        self.folder = folder
        (self.port,) = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        flags = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(
            [self.program, *flags, "--dir", self.folder], stdout=subprocess.DEVNULL
        )
        await_until(lambda: listens(self.port), "Redis to listen")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, command):
        """What the server answers to a command without arguments or with short ones, as it came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(1 << 16).decode()


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def origin():
    with counting_node() as server:
        yield server


@pytest.fixture
def gateways(martlet, tmp_path, redis):
    """Makes gateways that share the quotas of one key."""

    def make(node, quotas, count=2):
        file = tmp_path / "credentials.yaml"
        digest = hashlib.sha256(ALICE.encode()).hexdigest()
        key = {"id": "alice", "sha256": digest, "tenant": "imaging", "quotas": quotas}
        file.write_text(json.dumps({"keys": [key]}), encoding="utf-8")
        # Long enough for a machine that is busy with tests.
        settings = {"addresses": [redis.address], "timeout_seconds": 5}
        policy = {
            "access": {"api_keys_file": str(file), "redis": settings},
            "pools": [pool("main", node)],
        }
        return [follow(martlet, policy) for _ in range(count)]

    return make


def ask(client, path=PREDICT):
    return client.post(path, BODY, headers={"Authorization": f"Bearer {ALICE}"})


def let_in(gateways, seconds, path=PREDICT):
    """How many requests each gateway lets in that is asked all the time; others are refused.

    Of the longer time that it takes a busy machine to end, as many as come to `seconds`.
    """
    counts = [0] * len(gateways)
    statuses = set()
    ready = threading.Barrier(len(gateways))

    def press(index):
        with contextlib.closing(RestClient(gateways[index].address)) as client:
            ready.wait(100)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                answer = ask(client, path)
                statuses.add(answer.status_code)
                counts[index] += answer.status_code == 200
                if answer.status_code == 429:
                    assert int(answer.headers["Retry-After"]) >= 1
                    time.sleep(0.005)

    threads = [
        threading.Thread(target=press, args=(index,), daemon=True) for index in range(len(gateways))
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 120)
        assert not thread.is_alive(), "a request never ended"
    assert statuses <= {200, 429}, statuses
    share = seconds / max(seconds, time.monotonic() - began)
    return [count * share for count in counts]


def await_shared(gateways):
    """Presses until both together are held to the limit, as they are when they share it."""
    await_until(lambda: sum(let_in(gateways, 1)) <= RATE * 1.3, "the gateways to share", 30, 0.001)


def logged(gateway, text):
    return sum(text in line for line in gateway.log_lines())


def test_two_gateways_together_let_in_what_one_may(gateways, origin, redis):
    both = gateways(origin, LIMITED)
    # The first burst of each, and that is paid back.
    let_in(both, 2)
    seconds = 4
    counts = let_in(both, seconds)
    assert RATE * seconds * 0.7 <= sum(counts) <= RATE * seconds * 1.25, counts
    assert len(origin.requests) >= sum(counts)
    assert redis.ask("DBSIZE").strip() == ":1"
    # Nothing in it says whose quota it is.
    assert "alice" not in redis.ask("KEYS *")
    assert "imaging" not in redis.ask("KEYS *")
    for gateway in both:
        assert logged(gateway, "Quotas are shared with other gateways") == 1


def test_what_one_gateway_lets_in_is_gone_at_the_other(gateways, origin):
    one, other = gateways(origin, {"requests_per_second": 0.01, "burst": 4})
    for gateway in (one, other):
        assert ask(gateway.rest).status_code == 200
    assert ask(one.rest).status_code == 200
    assert ask(other.rest).status_code == 200
    time.sleep(2)
    # The one that told first has not heard of all, and may let one more in.
    assert [ask(gateway.rest).status_code for gateway in (one, other)].count(200) <= 1
    time.sleep(2)
    assert [ask(gateway.rest).status_code for gateway in (one, other)] == [429, 429]


def test_each_model_has_its_own_quota_at_all_gateways(gateways, origin):
    slow = {"requests_per_second": 0.01, "burst": 2}
    one, other = gateways(origin, {"models": {"*": slow}})
    assert ask(one.rest).status_code == 200
    assert ask(other.rest).status_code == 200
    time.sleep(2)
    assert ask(one.rest, OTHER).status_code == 200
    # The one that told first has not heard of the other, and may let one more in.
    assert [ask(gateway.rest).status_code for gateway in (one, other)].count(200) <= 1
    time.sleep(2)
    assert [ask(gateway.rest).status_code for gateway in (one, other)] == [429, 429]
    assert ask(other.rest, OTHER).status_code == 200


def test_without_redis_each_gateway_goes_on_by_its_own_and_shares_again(gateways, origin, redis):
    both = gateways(origin, LIMITED)
    let_in(both, 2)
    redis.kill()
    let_in(both, 1)
    seconds = 3
    counts = let_in(both, seconds)
    for count in counts:
        assert RATE * seconds * 0.7 <= count <= RATE * seconds + BURST + 2, counts
    for gateway in both:
        # On a busy machine an exchange may fail as it comes and goes.
        assert 1 <= logged(gateway, "Quotas are this gateway's own") <= 3
    redis.start()
    await_shared(both)
    counts = let_in(both, seconds)
    assert RATE * seconds * 0.7 <= sum(counts) <= RATE * seconds * 1.3, counts
    for gateway in both:
        assert 2 <= logged(gateway, "Quotas are shared with other gateways") <= 4


def test_gateways_start_and_serve_where_there_is_no_redis(gateways, origin, redis):
    redis.kill()
    (gateway,) = gateways(origin, LIMITED, count=1)
    (count,) = let_in([gateway], 2)
    assert RATE * 2 * 0.7 <= count <= RATE * 2 + BURST + 2


def test_forgotten_quotas_do_no_harm(gateways, origin, redis):
    both = gateways(origin, LIMITED)
    let_in(both, 2)
    assert redis.ask("FLUSHALL").strip() == "+OK"
    let_in(both, 1)
    seconds = 3
    counts = let_in(both, seconds)
    assert RATE * seconds * 0.7 <= sum(counts) <= RATE * seconds * 1.3, counts
    # A key that is something else is an outage of its own.
    keys = redis.ask("KEYS *").split("\r\n")
    name = next(line for line in keys if line.startswith("martlet:quota:1:"))
    assert redis.ask(f"SET {name} x").strip() == "+OK"
    for gateway in both:
        await_until(lambda g=gateway: ask(g.rest).status_code == 200, "an answer")


def test_requests_at_once_are_counted_at_all_gateways(gateways):
    release = threading.Event()

    def answer(handler, _):
        release.wait(100)
        handler.send(200, b"{}")

    with stand_in(answer, well_by_its_word()) as node:
        one, other = gateways(node, {"concurrent": 4})
        waiting = [threading.Thread(target=hold, args=(one,), daemon=True) for _ in range(4)]
        for thread in waiting:
            thread.start()
        await_until(lambda: len(node.requests) == 4, "four requests to be under way")
        assert ask(one.rest).status_code == 429
        # The second learns of them when it has something to tell; an equal part is its own.
        held = [threading.Thread(target=hold, args=(other,), daemon=True) for _ in range(2)]
        for thread in held:
            thread.start()
        await_until(lambda: len(node.requests) == 6, "two more")
        time.sleep(2)
        assert ask(other.rest).status_code == 429
        release.set()
        for thread in waiting + held:
            thread.join(120)
            assert not thread.is_alive(), "a request never ended"
        await_until(lambda: ask(one.rest).status_code == 200, "an answer")


def hold(gateway):
    with contextlib.closing(RestClient(gateway.address)) as client:
        assert ask(client).status_code == 200
