"""What one tenant's prompts left in a node's memory, no other tenant can tell from an answer."""

import hashlib
import json

import pytest
from harness import language_models
from harness.openai_clients import chat, client_of
from harness.policies import follow, pool

pytestmark = pytest.mark.deadline(90)

KEYS = ("mk_alice-3Jq9rXoHnB7vS1kYwLz5", "mk_bob-8Wd2mTcPfK6xQ4hZyNr1")
TENANT = "x-martlet-tenant"
TEXT = "The {} have a secret: they keep it below the third stone of the garden. Which stone?"


def cached(client, text, **options):
    """How many tokens of a prompt the node had computed before."""
    answer = chat(client, text, max_tokens=1, **options)
    return answer.usage.prompt_tokens_details.cached_tokens


@pytest.fixture(scope="module")
def trusting_node(module_martlet):
    return language_models.serve(module_martlet, "--trust-gateway")


@pytest.fixture
def tenants(tmp_path):
    """The names of two tenants that the node has not heard of."""
    return [f"{tmp_path.name}-{letter}" for letter in "ab"]


@pytest.fixture
def clients(martlet, tmp_path, trusting_node, tenants):
    """A client of each tenant, of a gateway that knows both by their keys."""
    file = tmp_path / "credentials.yaml"
    keys = [
        {"id": f"k{place}", "sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": name}
        for place, (key, name) in enumerate(zip(KEYS, tenants, strict=True))
    ]
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    access = {"api_keys_file": str(file)}
    gateway = follow(martlet, {"access": access, "pools": [pool("main", trusting_node)]})
    return [client_of(gateway.address, key) for key in KEYS]


def test_tenants_behind_a_gateway_share_nothing(clients):
    alice, bob = clients
    text = TEXT.format("gardeners")
    assert cached(alice, text) == 0
    assert cached(alice, text) > 20
    # Not even what the chat template puts before every prompt.
    assert cached(bob, text) == 0
    assert cached(bob, text) > 20


def test_a_client_cannot_say_that_it_is_another_tenant(clients, tenants):
    alice, bob = clients
    text = TEXT.format("neighbours")
    cached(alice, text)
    assert cached(alice, text) > 20
    assert cached(bob, text, extra_headers={TENANT: tenants[0]}) == 0
    # It has asked as itself.
    assert cached(bob, text) > 20


def test_a_node_that_trusts_nobody_does_not_look_at_the_tenant(language_model):
    text = TEXT.format("strangers")
    cached(language_model, text, extra_headers={TENANT: "team-a"})
    assert cached(language_model, text, extra_headers={TENANT: "team-b"}) > 20


def test_a_node_that_trusts_its_peer_tells_its_tenants_apart(trusting_node):
    client, text = trusting_node.openai, TEXT.format("peers")
    cached(client, text, extra_headers={TENANT: "team-c"})
    assert cached(client, text, extra_headers={TENANT: "team-c"}) > 20
    assert cached(client, text, extra_headers={TENANT: "team-d"}) == 0


def test_prompts_share_only_with_those_of_the_same_salt(language_model):
    text = TEXT.format("chemists")
    cached(language_model, text, extra_body={"cache_salt": "one"})
    assert cached(language_model, text, extra_body={"cache_salt": "one"}) > 20
    assert cached(language_model, text, extra_body={"cache_salt": "two"}) == 0
    # What is there for those without a salt is at most what templates begin with.
    begun = cached(language_model, text)
    assert cached(language_model, text) > begun
