"""How the gateway reaches its nodes: TLS, protocols, and the time that is left."""

import json

import pytest
from harness.certificates import Certificates
from harness.clients import assert_unharmed
from harness.policies import pool

pytestmark = pytest.mark.deadline(60)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'


@pytest.fixture
def certificates(martlet, tmp_path):
    return Certificates(martlet, tmp_path / "own")


def secure_node(martlet, certificates):
    certificate, key = certificates.node()
    return martlet.serve(
        ("half_plus_two",), "--tls-certificate", certificate, "--tls-key", key, ready=None
    )


def trusting(certificates):
    """The section `tls` of a pool whose nodes' certificates one authority has signed."""
    return {"ca_file": str(certificates.certificate)}


def followed(martlet, policy):
    """A gateway by a policy, of whose endpoints not all need be healthy."""
    path = martlet.directory / "policy.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return martlet.gateway([], "--config", path)


# TLS


@pytest.mark.parametrize("plain_comes", ["first", "last"])
def test_address_of_two_pools_is_spoken_to_by_tls_as_one_of_them_says(
    martlet, certificates, plain_comes
):
    node = secure_node(martlet, certificates)
    pools = [pool("secure", node, tls=trusting(certificates)), pool("plain", node)]
    if plain_comes == "first":
        pools.reverse()
    plain = {"name": "plain", "pool": "plain", "match": {"path_prefix": "/plain"}}
    routes = [plain, {"name": "secure", "pool": "secure"}]
    gateway = followed(martlet, {"pools": pools, "routes": routes})
    # By REST and by gRPC.
    assert_unharmed(gateway)
    assert gateway.rest.post("/plain" + PREDICT, BODY).status_code == 503
