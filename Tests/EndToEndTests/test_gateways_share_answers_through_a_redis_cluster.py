"""Answers kept in a Redis Cluster: found in all its parts, when slots move, and when masters die.

One gateway writes and another reads, so that what is found is found in Redis. Whatever befalls the
cluster, each request is answered, and by the answer that is its.
"""

import collections
import contextlib
import itertools
import signal
import threading

import pytest
from harness.clients import RestClient
from harness.policies import counting_node, follow, pool
from harness.redis_clusters import cluster
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(150)

PREDICT = "/v1/models/half_plus_two:predict"
KEEPING = {"ttl_seconds_min": 600, "ttl_seconds_max": 600}
BATCH = 40
# Keys whose slots move.
MOVED = 8
PATIENCE = 60.0

# Each number is asked for in one place only.
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def redis(servers):
    """The cluster, whole and empty, whatever befell it before."""
    for member in servers.members:
        if not member.process:
            member.start()
    servers.await_whole()
    for member in servers.masters:
        member.cli("FLUSHALL")
    return servers


@pytest.fixture
def origin():
    with counting_node() as server:
        yield server


@pytest.fixture
def gateways(martlet, origin, redis):
    """Makes gateways that share what they keep."""

    def make(count=2, seconds=2.0):
        settings = {"addresses": redis.addresses, "cluster": True, "timeout_seconds": seconds}
        policy = {
            "pools": [pool("main", origin)],
            "routes": [{"name": "r", "cache": True}],
            "cache": {**KEEPING, "redis": settings},
        }
        return [follow(martlet, policy, "--no-access-log") for _ in range(count)]

    return make


def batch():
    return [next(NUMBERS) for _ in range(BATCH)]


def body_of(number):
    return f'{{"instances": [{number}]}}'


def ask(client, number):
    """Whether the answer comes from the cache; it is the one to this number in any case."""
    body = body_of(number)
    response = client.post(PREDICT, body)
    assert response.status_code == 200, response.text
    assert response.json()["body"] == body
    return response.headers.get("x-martlet-cache") == "hit"


def keep(gateway, redis, numbers):
    """Has a gateway keep answers, and awaits that they are in the cluster."""
    before = sum(member.keys() for member in redis.masters)
    assert [ask(gateway.rest, number) for number in numbers] == [False] * len(numbers)
    await_until(
        lambda: sum(member.keys() for member in redis.masters) == before + len(numbers),
        "the answers to be kept",
        PATIENCE,
        0.1,
    )


def found(gateway, numbers):
    return sum(ask(gateway.rest, number) for number in numbers)


def await_sharing(one, other):
    """Awaits that the second finds all that the first has kept a moment before."""

    def is_shared():
        numbers = batch()
        for number in numbers:
            ask(one.rest, number)
        return found(other, numbers) == len(numbers)

    await_until(is_shared, "answers to be shared", PATIENCE, 0.1)


class Load:
    """Asks gateways for one new number after the other until the block ends."""

    def __init__(self, *gateways):
        self.gateways = gateways
        self.answered = 0
        self.failures = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.await_more()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)
        assert not self.thread.is_alive(), "a request of the load never ended"

    def await_more(self, count=50):
        target = self.answered + count
        await_until(
            lambda: self.failures or self.answered >= target, f"{count} more answers", PATIENCE
        )

    def _run(self):
        with contextlib.ExitStack() as scope:
            clients = [
                scope.enter_context(contextlib.closing(RestClient(gateway.address)))
                for gateway in self.gateways
            ]
            while not self.stopping.is_set():
                number = next(NUMBERS)
                try:
                    for client in clients:
                        ask(client, number)
                        self.answered += 1
                except Exception as failure:
                    self.failures.append(failure)
                    return


def test_answers_are_found_in_all_parts_of_a_cluster(gateways, origin, redis):
    one, other = gateways()
    numbers = batch()
    keep(one, redis, numbers)
    counts = [member.keys() for member in redis.masters]
    assert len(counts) == 3
    assert min(counts) > 0
    assert found(other, numbers) == BATCH
    assert len(origin.requests) == BATCH


def move_slots(one, other, redis, source, target):
    """Moves slots of new answers; those, and how often the source has sent somebody on or away."""
    during, after = batch(), batch()
    keep(one, redis, during + after)
    keys = source.cli("KEYS", "*").split()[:MOVED]
    assert len(keys) == MOVED
    slots = {int(source.cli("CLUSTER", "KEYSLOT", key)) for key in keys}
    before = redirections(source)
    with Load(one, other) as load:
        for slot in slots:
            redis.begin_move(slot, source, target)
        assert found(other, during) == BATCH
        for slot in slots:
            redis.end_move(slot, target, redis.masters)
        assert found(other, after) == BATCH
        load.await_more()
    assert load.failures == []
    return during + after, redirections(source) - before


def redirections(member):
    return collections.Counter({kind: member.redirections(kind) for kind in ("ASK", "MOVED")})


def test_answers_are_found_while_and_after_their_slots_move(gateways, origin, redis):
    one, other = gateways()
    kept, sent = [], collections.Counter()
    # Whether somebody asks for one of the slots in time is chance, as is who knows already.
    for source, target in 3 * list(itertools.permutations(redis.masters, 2)):
        numbers, redirected = move_slots(one, other, redis, source, target)
        kept += numbers
        sent += redirected
        if sent["ASK"] and sent["MOVED"]:
            break
    assert sent["ASK"] > 0
    assert sent["MOVED"] > 0
    asked = collections.Counter(body for _, _, body in origin.requests)
    assert all(asked[body_of(number).encode()] == 1 for number in kept)


def test_killed_masters_fail_no_request_and_what_was_kept_comes_back(gateways, redis):
    one, other = gateways(seconds=0.5)
    numbers = batch()
    keep(one, redis, numbers)
    replicas = [member for member in redis.members if not member.is_master]
    await_until(
        lambda: sum(member.keys() for member in replicas) >= BATCH, "the replicas", PATIENCE
    )
    victim = redis.masters[1]
    with Load(one, other) as load:
        victim.kill()
        load.await_more(200)
        redis.await_whole()
        load.await_more()
    assert load.failures == []
    await_sharing(one, other)
    # The replica has them, and nobody asks a node again.
    assert found(other, numbers) == BATCH


def test_stopped_masters_make_answers_slower_but_never_wrong(gateways, redis):
    one, other = gateways(seconds=0.05)
    victim = redis.masters[0]
    victim.process.send_signal(signal.SIGSTOP)
    try:
        with Load(one, other) as load:
            load.await_more(100)
        assert load.failures == []
    finally:
        victim.process.send_signal(signal.SIGCONT)
    redis.await_whole()
    await_sharing(one, other)


def test_without_any_server_nodes_are_asked_and_sharing_begins_again(gateways, redis):
    one, other = gateways(seconds=0.5)
    await_sharing(one, other)
    with Load(one, other) as load:
        redis.kill()
        load.await_more(200)
        for member in redis.members:
            member.start()
        redis.await_whole()
        load.await_more()
    assert load.failures == []
    await_sharing(one, other)
