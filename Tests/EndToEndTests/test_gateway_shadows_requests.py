"""Copies of predictions go elsewhere; clients never see them nor wait for them."""

import concurrent.futures
import threading

import grpc
import pytest
from harness.clients import RestClient, assert_rest_error, refused
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import PREDICT as PREDICT_METHOD
from harness.grpc_nodes import answer_y, grpc_node, held_grpc_node, y_of
from harness.held_nodes import BODY, PREDICT, hanging_node, held_node
from harness.policies import counting_node, follow, pool, routes
from harness.raw_nodes import raw_node
from harness.serving_api import predict_pb2
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}


def shadowed(primary, copies, health=None, **shadow):
    """A policy that sends what `primary` is asked to `copies` too."""
    settings = {"health": health} if health else {}
    pools = [pool("main", primary, **settings), pool("other", copies, **settings)]
    route = {"name": "r", "pool": "main", "shadow": {"pool": "other", **shadow}}
    return {"pools": pools, "routes": [route]}


def counts(gateway, route="r"):
    """What the gateway says of its copies."""
    return routes(gateway)[route]["shadow"]


def outcomes(gateway):
    return gateway.admin.metrics().by("martlet_gateway_shadow_total", "outcome", route="r")


def await_copies(node, count):
    await_until(lambda: len(node.requests) >= count, f"{count} copies")
    assert len(node.requests) == count


def test_copies_are_what_was_asked_and_answers_are_the_primary_node_s(martlet):
    with counting_node() as primary, counting_node() as other:
        gateway = follow(martlet, shadowed(primary, other))
        for number in range(5):
            body = f'{{"instances": [{number}.0]}}'
            answer = gateway.rest.post(PREDICT, body, headers={"X-Own": str(number)})
            assert (answer.status_code, answer.json()["port"]) == (200, primary.server_port)
            await_copies(other, number + 1)
            path, fields, copy = other.requests[-1]
            assert (path, copy.decode(), fields["X-Own"]) == (PREDICT, body, str(number))
        assert len(primary.requests) == 5
        # Clients asked five things, whatever was made of them.
        assert gateway.admin.metrics().total("martlet_gateway_requests_total") == 5
        assert counts(gateway)["sent"] == 5


def test_grpc_calls_are_copied_and_answers_are_the_primary_node_s(martlet):
    with grpc_node(answer_y(1.0)) as primary, grpc_node(answer_y(2.0)) as other:
        gateway = follow(martlet, shadowed(primary, other, health=GRPC_CHECKS))
        for number in range(5):
            assert y_of(gateway.grpc.predict("m", ONE)) == [1.0]
            await_until(lambda n=number: len(other.methods) == n + 1, "a copy")
        assert set(other.methods) == {PREDICT_METHOD}
        assert primary.methods == [PREDICT_METHOD] * 5


def test_copies_are_changed_as_requests_are(martlet):
    with counting_node() as primary, counting_node() as other:
        policy = shadowed(primary, other)
        policy["routes"][0] |= {
            "rewrite": {"model": "m", "version": 3},
            "headers": {"request": {"set": {"x-added": "yes"}, "remove": ["x-secret"]}},
        }
        gateway = follow(martlet, policy)
        gateway.rest.post(PREDICT, BODY, headers={"X-Secret": "1"}).raise_for_status()
        await_copies(other, 1)
        for path, fields, _ in primary.requests + other.requests:
            assert path == "/v1/models/m/versions/3:predict"
            assert (fields["x-added"], fields.get("X-Secret")) == ("yes", None)


def test_nobody_waits_for_copies(martlet):
    with counting_node() as primary, held_node() as (other, held, _):
        gateway = follow(martlet, shadowed(primary, other))
        for _ in range(5):
            assert gateway.rest.post(PREDICT, BODY).json()["port"] == primary.server_port
        for _ in range(5):
            assert held.acquire(timeout=60)
        assert gateway.admin.metrics().total("martlet_gateway_requests_total", code="200") == 5


def test_nobody_waits_for_copies_of_grpc_calls(martlet):
    with grpc_node(answer_y(1.0)) as primary, held_grpc_node() as other:
        gateway = follow(martlet, shadowed(primary, other, health=GRPC_CHECKS))
        for _ in range(5):
            assert y_of(gateway.grpc.predict("m", ONE)) == [1.0]
        for _ in range(5):
            assert other.held.acquire(timeout=60)


@pytest.mark.parametrize("api", ["rest", "grpc"])
def test_dead_shadow_costs_clients_nothing(martlet, api):
    answering = counting_node() if api == "rest" else grpc_node(answer_y(1.0))
    with answering as primary, counting_node() as other:
        policy = shadowed(primary, other, compare={})
        if api == "grpc":
            policy["pools"][0]["health"] = GRPC_CHECKS
        gateway = follow(martlet, policy)
        other.die()
        for _ in range(30):
            if api == "rest":
                assert gateway.rest.post(PREDICT, BODY).status_code == 200
            else:
                assert y_of(gateway.grpc.predict("m", ONE)) == [1.0]
        await_until(lambda: counts(gateway)["unanswered"] == 30, "the end of all copies")
        primary_state = gateway.endpoints()[primary.address]
        assert (primary_state["healthy"], primary_state["failures"]) == (True, 0)


def test_shadow_that_fails_costs_clients_nothing_and_is_reported(martlet):
    with counting_node(body=b'{"predictions": [1.0]}') as primary, counting_node(500) as other:
        policy = shadowed(primary, other, compare={})
        policy["pools"][1]["outliers"] = {"consecutive_failures": 0}
        gateway = follow(martlet, policy)
        for _ in range(20):
            assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [1.0]}
        await_until(lambda: counts(gateway)["compared"] == 20, "all comparisons")
        report = gateway.admin.get("/v1/routes/r/shadow").json()
        assert (report["counts"]["equal"], report["differences"]) == (0, {"status": 20})
        (difference,) = report["examples"][0]["differences"]
        assert difference == {"kind": "status", "path": "$", "primary": "200", "shadow": "500"}


def test_grpc_shadow_that_fails_costs_clients_nothing(martlet):
    def fail(_, __, context):
        context.abort(grpc.StatusCode.INTERNAL, "out of order")

    with grpc_node(answer_y(1.0)) as primary, grpc_node(fail) as other:
        gateway = follow(martlet, shadowed(primary, other, health=GRPC_CHECKS, compare={}))
        for _ in range(10):
            assert y_of(gateway.grpc.predict("m", ONE)) == [1.0]
        await_until(lambda: counts(gateway)["compared"] == 10, "all comparisons")
        assert counts(gateway)["equal"] == 0


def test_client_sees_the_primary_s_error_though_the_copy_is_well(martlet):
    with counting_node(400) as primary, counting_node() as other:
        gateway = follow(martlet, shadowed(primary, other))
        assert gateway.rest.post(PREDICT, BODY).status_code == 400
        await_copies(other, 1)


@pytest.mark.parametrize(
    ("target", "path", "copied"),
    [
        ({"version": 2}, PREDICT, "/v1/models/half_plus_two/versions/2:predict"),
        (
            {"version": 2},
            "/v1/models/half_plus_two/versions/1:predict",
            "/v1/models/half_plus_two/versions/2:predict",
        ),
        ({"label": "next"}, PREDICT, "/v1/models/half_plus_two/labels/next:predict"),
        ({"version": 2}, "/v2/models/m/infer", "/v2/models/m/versions/2/infer"),
    ],
)
def test_copies_ask_another_version(martlet, target, path, copied):
    with counting_node() as node:
        route = {"name": "r", "shadow": target}
        gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
        assert gateway.rest.post(path, BODY).json()["path"] == path
        await_copies(node, 2)
        assert [asked for asked, _, _ in node.requests] == [path, copied]


def test_grpc_copies_that_should_ask_another_version_do(martlet):
    messages = []

    def answer(_, message, __):
        messages.append(predict_pb2.PredictRequest.FromString(message))
        return answer_y(1.0)()

    with grpc_node(answer) as node:
        route = {"name": "r", "shadow": {"version": 2}}
        pools = [pool("main", node, health=GRPC_CHECKS)]
        gateway = follow(martlet, {"pools": pools, "routes": [route]})
        for _ in range(3):
            gateway.grpc.predict("m", ONE)
        await_until(lambda: len(messages) == 3 + counts(gateway)["sent"], "the copies")
        versions = [each.model_spec.version.value for each in messages]
    # A copy of the question as it was would tell nothing, and cost as much.
    assert versions.count(0) == 3
    assert versions.count(2) == len(versions) - 3


class TwoVersions:
    """A node whose version 2 answers when it is told, and badly."""

    def __init__(self):
        self.held, self.release = threading.Semaphore(0), threading.Event()

    def node(self):
        return stand_in(self.answer, well_by_its_word())

    def answer(self, handler, _):
        if "/versions/2:" not in handler.path:
            handler.send(200, b"{}")
            return
        self.held.release()
        self.release.wait(100)
        handler.send(500, b"{}")


def test_copies_take_no_place_of_clients_requests(martlet):
    versions = TwoVersions()
    with versions.node() as node:
        route = {"name": "r", "shadow": {"version": 2}}
        pools = [pool("main", node, breakers={"requests_max": 2})]
        gateway = follow(martlet, {"pools": pools, "routes": [route]})
        statuses = [gateway.rest.post(PREDICT, BODY).status_code for _ in range(5)]
        assert versions.held.acquire(timeout=60)
        versions.release.set()
        assert statuses == [200] * 5


def test_nodes_are_not_ejected_for_what_copies_ask(martlet):
    versions = TwoVersions()
    with versions.node() as one, versions.node() as two:
        route = {"name": "r", "shadow": {"version": 2, "compare": {}}}
        outliers = {"consecutive_failures": 2}
        pools = [pool("main", one, two, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools, "routes": [route]})
        for _ in range(8):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        for _ in range(8):
            assert versions.held.acquire(timeout=60)
        versions.release.set()
        await_until(lambda: counts(gateway)["compared"] == 8, "all comparisons")
        assert not any(endpoint["ejected"] for endpoint in gateway.endpoints().values())


def test_only_a_share_is_copied(martlet):
    with counting_node() as primary, counting_node() as other:
        gateway = follow(martlet, shadowed(primary, other, percent=25))
        for _ in range(200):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        await_until(lambda: counts(gateway)["sent"] == len(other.requests), "the last copy")
    # Of 200 a quarter, give or take six standard deviations.
    assert 13 <= len(other.requests) <= 87


def test_long_requests_are_not_copied(martlet):
    with counting_node() as primary, counting_node() as other:
        gateway = follow(martlet, shadowed(primary, other, body_bytes_max=1024))
        for size in (2000, 1024, 1025):
            assert gateway.rest.post(PREDICT, b"x" * size).status_code == 200
        assert gateway.rest.post(PREDICT, b"last").status_code == 200
        await_until(lambda: other.requests and other.requests[-1][2] == b"last", "the last copy")
    assert [len(body) for _, _, body in other.requests] == [1024, 4]


def test_no_more_copies_are_under_way_than_allowed(martlet):
    with counting_node() as primary, held_node() as (other, held, release):
        gateway = follow(martlet, shadowed(primary, other, concurrent_requests_max=2))
        for _ in range(5):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        for _ in range(2):
            assert held.acquire(timeout=60)
        await_until(lambda: counts(gateway)["dropped"] == 3, "the others to be dropped")
        assert counts(gateway)["sent"] == 2
        assert outcomes(gateway)["dropped"] == 3
        release.set()

        def is_copied():
            gateway.rest.post(PREDICT, BODY).raise_for_status()
            return counts(gateway)["sent"] > 2

        await_until(is_copied, "a copy again", 5)


NOT_PREDICTIONS = [
    ("GET", "/v1/models/half_plus_two"),
    ("GET", "/v1/models/half_plus_two/metadata"),
    ("GET", "/v2/models/m"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v2/repository/models/m/load"),
    ("POST", "/v2/repository/models/m/unload"),
]


def test_only_predictions_are_copied(martlet):
    with raw_node() as primary, raw_node() as other:
        gateway = follow(martlet, shadowed(primary, other))
        for method, path in NOT_PREDICTIONS:
            url = gateway.rest.url + path
            answer = gateway.rest.session.request(method, url, data="{}", timeout=60)
            assert (answer.status_code, answer.text) == (200, "good")
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
        await_until(lambda: any(PREDICT.encode() in head for head in other.heads), "the copy")
        lines = [head.split(b"\r\n")[0].decode() for head in other.heads]
    assert lines == [f"POST {PREDICT} HTTP/1.1"]


def test_only_predictions_are_copied_of_grpc_calls(martlet):
    with grpc_node(answer_y(1.0)) as primary, grpc_node(answer_y(1.0)) as other:
        gateway = follow(martlet, shadowed(primary, other, health=GRPC_CHECKS))
        for method in (
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
            "/tensorflow.serving.ModelService/GetModelStatus",
            "/tensorflow.serving.PredictionService/GetModelMetadata",
            "/inference.GRPCInferenceService/ModelReady",
            "/inference.GRPCInferenceService/RepositoryModelUnload",
        ):
            gateway.grpc.call(method, b"")
        gateway.grpc.predict("m", ONE)
        await_until(lambda: PREDICT_METHOD in other.methods, "the copy")
        assert other.methods == [PREDICT_METHOD]


def test_requests_that_nobody_answered_are_not_copied(martlet):
    with hanging_node() as primary, counting_node() as other:
        policy = shadowed(primary, other)
        policy["routes"][0]["timeouts"] = {"total_seconds": 0.3}
        gateway = follow(martlet, policy)
        assert gateway.rest.post(PREDICT, BODY).status_code == 504
        assert counts(gateway)["sent"] == 0


def test_routes_without_a_shadow_have_no_report(martlet):
    with counting_node() as node:
        route = {"name": "plain", "priority": "high"}
        gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
        for name in ("plain", "none"):
            report = gateway.admin.get(f"/v1/routes/{name}/shadow")
            assert_rest_error(report, 404, f"There is no route '{name}' with a shadow")
        with refused(grpc.StatusCode.UNAVAILABLE):
            gateway.grpc.predict("m", ONE)


def test_copies_take_no_connection_of_clients_requests(martlet):
    versions, together = TwoVersions(), threading.Barrier(2)

    def answer(handler, body):
        if "/pair:" in handler.path:
            together.wait(100)
        versions.answer(handler, body)

    with stand_in(answer, well_by_its_word()) as node:
        route = {"name": "r", "shadow": {"version": 2}}
        pools = [pool("main", node, breakers={"connections_max": 2})]
        gateway = follow(martlet, {"pools": pools, "routes": [route]})
        gateway.rest.post(PREDICT, BODY).raise_for_status()
        assert versions.held.acquire(timeout=100)
        # One connection is the copy's; both that requests may have are needed at once.
        with concurrent.futures.ThreadPoolExecutor(2) as clients:
            asked = [
                clients.submit(gateway.client(RestClient, gateway.address).post, path, BODY)
                for path in ["/v1/models/pair:predict"] * 2
            ]
            assert [each.result().status_code for each in asked] == [200, 200]
        # There was no room for copies of these.
        await_until(lambda: counts(gateway)["dropped"] == 2, "two copies to be dropped")
        assert counts(gateway)["sent"] == 1
        versions.release.set()
