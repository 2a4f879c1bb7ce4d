"""Gateways that go by a policy file, which a test may change while they run."""

import json
import os
import signal

from harness.faults import well_by_its_word
from harness.stand_ins import stand_in
from harness.waiting import await_until

# Short, so that a gateway soon knows its nodes.
CHECKS = {"interval_seconds": 0.2}


def pool(name, *nodes, **settings):
    """A pool of a policy, of nodes or bare addresses."""
    addresses = [getattr(node, "address", node) for node in nodes]
    return {"name": name, "endpoints": addresses, "health": CHECKS, **settings}


class PolicyFile:
    """A policy file; it is replaced as a whole, as careful editors do."""

    def __init__(self, path):
        self.path = path

    def write(self, policy):
        """Writes text as it is, and anything else as JSON, all of which is YAML too."""
        text = policy if isinstance(policy, str) else json.dumps(policy, indent=1)
        staging = self.path.with_suffix(".new")
        staging.write_text(text, encoding="utf-8")
        os.replace(staging, self.path)


def follow(martlet, policy, *flags, **options):
    """A gateway that follows a policy, which is its `policy`; every endpoint is healthy."""
    file = PolicyFile(martlet.directory / f"policy-{len(martlet.processes) + 1}.yaml")
    file.write(policy)
    gateway = martlet.gateway([], "--config", file.path, *flags, **options)
    gateway.policy = file
    await_until(
        lambda: all(endpoint["healthy"] for endpoint in gateway.endpoints().values()),
        "every endpoint to be healthy",
    )
    return gateway


def change(gateway, policy):
    """Writes another policy and has it read; for tests of something else than reloading."""
    gateway.policy.write(policy)
    answer = gateway.admin.post("/v1/policy:reload", "")
    assert answer.status_code == 200, answer.text


def reload_by_signal(gateway):
    gateway.send(signal.SIGHUP)


def routes(gateway):
    """What the gateway shows of its routes, by name."""
    shown = gateway.admin.get("/v1/policy")
    assert shown.status_code == 200, shown.text
    return {route["name"]: route for route in shown.json()["routes"]}


def canary(gateway, route):
    return routes(gateway)[route]["canary"]


def cache(gateway):
    return gateway.admin.get("/v1/policy").json()["cache"]


def counting_node(status=200, body=None, **fields):
    """What stands in for a node, and answers every POST by what it was asked, and its own count.

    `requests` holds what came: path, header fields, body.
    """

    def answer(handler, asked):
        seen = {
            "count": len(handler.server.requests),
            "port": handler.server.server_port,
            "path": handler.path,
            "fields": [[name.lower(), value] for name, value in handler.headers.items()],
            "body": asked.decode("utf-8", "replace"),
        }
        content = json.dumps(seen).encode() if body is None else body
        handler.send(status, content, **{"content-type": "application/json", **fields})

    return stand_in(answer, well_by_its_word())
