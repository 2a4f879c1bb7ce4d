"""Pools whose nodes a name server tells of: found, followed, and kept while it tells nothing."""

import concurrent.futures
import re
import threading

import pytest
from harness.faults import well_by_its_word
from harness.load import Load
from harness.name_servers import NameServer, name_server, place
from harness.policies import CHECKS, PolicyFile, change, counting_node, follow
from harness.stand_ins import stand_in
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'

SERVICE = "_http._tcp.nodes.test"
HOST = "nodes.test"
REFRESH_SECONDS = 0.2

CANNOT = "endpoints cannot be found by DNS"
AGAIN = "endpoints are found by DNS again"


@pytest.fixture
def dns():
    with name_server() as server:
        yield server


def pool(dns, name=SERVICE, record="service", port=None, **settings):
    """A pool of a policy, of the nodes that a name server tells of."""
    found = {
        "name": name,
        "record": record,
        "refresh_seconds": REFRESH_SECONDS,
        "server": dns.address,
    }
    if port is not None:
        found["port"] = port
    return {"name": "main", "dns": found, "health": CHECKS, **settings}


def policy(dns, **settings):
    return {"pools": [pool(dns, **settings)]}


def await_endpoints(gateway, *nodes):
    """Awaits that the gateway has these endpoints and no others, all of them healthy."""
    addresses = {getattr(node, "address", node) for node in nodes}

    def reached():
        found = gateway.endpoints()
        healthy = {address for address, endpoint in found.items() if endpoint["healthy"]}
        return set(found) == healthy == addresses

    await_until(reached, f"the endpoints to be {sorted(addresses)}")


def await_questions(dns, count=3):
    """Awaits so many further questions: what the zone holds now has been seen."""
    target = dns.asked + count
    await_until(lambda: dns.asked >= target, f"{count} more questions to the name server")


def logged(gateway, text):
    return sum(text in line for line in gateway.log_lines())


def await_logged(gateway, text, count=1):
    await_until(lambda: logged(gateway, text) >= count, f"'{text}' to be logged")


# Finding


def test_services_are_found_with_their_ports(martlet, dns):
    nodes = [martlet.serve(), martlet.serve()]
    dns.set_services(SERVICE, *map(place, nodes))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, *nodes)
    assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [2.5]}


def test_addresses_are_found_and_have_the_port_of_the_policy(martlet, dns):
    first = martlet.serve(host="127.0.0.2")
    second = martlet.serve(host="127.0.0.3", port=first.port)
    dns.set_addresses(HOST, "127.0.0.2", "127.0.0.3")
    gateway = follow(martlet, policy(dns, name=HOST, record="address", port=first.port))
    await_endpoints(gateway, first, second)
    assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [2.5]}


def test_services_get_their_weights(martlet, dns):
    with counting_node() as large, counting_node() as small:
        dns.set_services(SERVICE, place(large, weight=3), place(small, weight=1))
        gateway = follow(martlet, policy(dns, balancing="round_robin"))
        await_endpoints(gateway, large, small)
        for server in (large, small):
            server.requests.clear()
        for _ in range(400):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        counts = [len(server.requests) for server in (large, small)]
    assert sum(counts) == 400
    # A quarter, give or take what a balancer may be off while it begins.
    assert 90 <= counts[1] <= 110


def test_weights_that_change_are_followed(martlet, dns):
    with counting_node() as one, counting_node() as two:
        dns.set_services(SERVICE, place(one, weight=3), place(two, weight=1))
        gateway = follow(martlet, policy(dns, balancing="round_robin"))
        await_endpoints(gateway, one, two)
        dns.set_services(SERVICE, place(one, weight=1), place(two, weight=3))

        def changed():
            before = [len(server.requests) for server in (one, two)]
            for _ in range(40):
                assert gateway.rest.post(PREDICT, BODY).status_code == 200
            after = [len(server.requests) for server in (one, two)]
            return after[1] - before[1] >= 28 and after[0] - before[0] <= 12

        await_until(changed, "the second node to get three quarters")


def test_services_of_the_lowest_priority_are_used(martlet, dns):
    node, backup = martlet.serve(), martlet.serve()
    dns.set_services(SERVICE, place(backup, priority=20), place(node, priority=10))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, node)
    dns.set_services(SERVICE, place(backup, priority=20))
    await_endpoints(gateway, backup)


def test_many_services_are_found_although_a_datagram_cannot_hold_them(martlet, dns):
    node = martlet.serve()
    # Nobody listens there.
    others = [f"127.0.0.{last}:1" for last in range(10, 60)]
    dns.set_services(SERVICE, place(node), *map(place, others))
    file = PolicyFile(martlet.directory / "policy.yaml")
    file.write(policy(dns))
    gateway = martlet.gateway([], "--config", file.path)
    await_until(lambda: set(gateway.endpoints()) == {node.address, *others}, "all endpoints")
    gateway.await_health(node, healthy=True)
    assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [2.5]}


# Following


def test_nodes_that_come_and_go_in_dns_cost_no_request(martlet, dns):
    left, right, third = (martlet.serve() for _ in range(3))
    dns.set_services(SERVICE, place(left))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, left)
    with Load(gateway.address) as load:
        for nodes in ([left, right], [right], [right, third], [left, third], [third]):
            dns.set_services(SERVICE, *map(place, nodes))
            await_endpoints(gateway, *nodes)
            load.await_more(10)
        # What is gone from DNS is asked nothing any more, and may stop.
        left.stop()
        right.stop()
        load.await_more(10)
    assert load.failures == []
    assert load.values() == {2.5}


def test_request_under_way_at_a_node_that_goes_is_answered(martlet, dns):
    asked, may_answer = threading.Event(), threading.Event()

    def answer(handler, _):
        asked.set()
        may_answer.wait()
        handler.send(200, b'{"late": true}')

    other = martlet.serve()
    with (
        stand_in(answer, well_by_its_word()) as slow,
        concurrent.futures.ThreadPoolExecutor(1) as client,
    ):
        dns.set_services(SERVICE, place(slow))
        gateway = follow(martlet, policy(dns))
        await_endpoints(gateway, slow)
        request = client.submit(gateway.rest.post, PREDICT, BODY)
        try:
            await_until(asked.is_set, "the node to be asked")
            dns.set_services(SERVICE, place(other))
            await_until(lambda: set(gateway.endpoints()) == {other.address}, "the other node")
            await_questions(dns)
            assert not request.done()
        finally:
            may_answer.set()
        response = request.result(10)
        assert (response.status_code, response.content) == (200, b'{"late": true}')


# Outages


def test_name_server_that_dies_changes_nothing(martlet, dns):
    node, more = martlet.serve(), martlet.serve()
    dns.set_services(SERVICE, place(node))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, node)
    with Load(gateway.address) as load:
        dns.stop()
        await_logged(gateway, CANNOT)
        load.await_more(50)
        assert set(gateway.endpoints()) == {node.address}
        dns.set_services(SERVICE, place(node), place(more))
        dns.start()
        await_endpoints(gateway, node, more)
        load.await_more(10)
    assert load.failures == []
    # Once for the outage and once for its end, however many lookups failed.
    assert (logged(gateway, CANNOT), logged(gateway, AGAIN)) == (1, 1)


@pytest.mark.parametrize("emptied", ["no such name", "no such records"])
def test_name_that_has_nothing_any_more_changes_nothing(martlet, dns, emptied):
    node = martlet.serve()
    dns.set_services(SERVICE, place(node))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, node)
    with Load(gateway.address) as load:
        if emptied == "no such name":
            dns.remove(SERVICE)
        else:
            dns.set_services(SERVICE)
        await_logged(gateway, CANNOT)
        await_questions(dns)
        load.await_more(20)
    assert load.failures == []
    assert set(gateway.endpoints()) == {node.address}
    assert logged(gateway, CANNOT) == 1
    warning = next(line for line in gateway.log_lines() if CANNOT in line)
    assert re.search(emptied, warning), warning


def test_gateway_that_starts_before_its_name_server_finds_nodes_later(martlet):
    server = NameServer()
    # A port that is free again.
    server.start()
    server.stop()
    node = martlet.serve()
    server.set_services(SERVICE, place(node))
    gateway = follow(martlet, policy(server), ready="live")
    await_logged(gateway, CANNOT)
    assert gateway.endpoints() == {}
    assert gateway.rest.post(PREDICT, BODY).status_code == 503
    server.start()
    try:
        await_endpoints(gateway, node)
        assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [2.5]}
    finally:
        server.stop()


# The policy


def test_policy_that_names_another_service_is_followed(martlet, dns):
    left, right = martlet.serve(), martlet.serve()
    dns.set_services(SERVICE, place(left))
    dns.set_services("_http._tcp.others.test", place(right))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, left)
    with Load(gateway.address) as load:
        change(gateway, policy(dns, name="_http._tcp.others.test"))
        await_endpoints(gateway, right)
        load.await_more(10)
    assert load.failures == []


def test_policy_that_changes_something_else_keeps_the_endpoints(martlet, dns):
    node = martlet.serve()
    dns.set_services(SERVICE, place(node))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, node)
    dns.stop()
    await_logged(gateway, CANNOT)
    with Load(gateway.address) as load:
        # Nobody can be asked now where the nodes are.
        change(gateway, policy(dns) | {"routes": [{"name": "r", "pool": "main"}]})
        load.await_more(20)
    assert load.failures == []
    assert set(gateway.endpoints()) == {node.address}


def test_pool_that_is_no_more_is_not_looked_up(martlet, dns):
    node = martlet.serve()
    dns.set_services(SERVICE, place(node))
    gateway = follow(martlet, policy(dns))
    await_endpoints(gateway, node)
    change(gateway, {"pools": [{"name": "main", "endpoints": [node.address], "health": CHECKS}]})
    with name_server() as other:
        # The lookups of a second pool tell when the first would have been due several times.
        other.set_services(SERVICE, place(node))
        change(
            gateway,
            {
                "pools": [
                    {"name": "main", "endpoints": [node.address], "health": CHECKS},
                    {**pool(other), "name": "other"},
                ]
            },
        )
        await_questions(other, 2)
        before = dns.asked
        await_questions(other, 10)
        assert dns.asked == before
