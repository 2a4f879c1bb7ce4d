"""What each feature of the gateway costs: the same load on gateways that differ in one thing."""

import hashlib
from pathlib import Path

from front import loads

KEY = "martlet-benchmark-key"
BODY = b'{"instances": [1.0, 2.0, 5.0]}'

# A prediction, as most features are for nothing else; with a key, that some want to see.
LOAD = loads.Load(
    "A small prediction, 64 connections, with one feature more",
    64,
    "/v1/models/half:predict",
    body=BODY,
    headers=(("X-API-Key", KEY),),
)

# YAML of a policy, where `{backend}` stands for the backend and `{folder}` for a folder of files.
POOL = "pools:\n  - name: main\n    endpoints: [{backend}]\n"
ROUTE = "routes:\n  - name: half\n    match: {models: [half]}\n    pool: main\n"
FEATURES = {
    "policy of one route": POOL + ROUTE,
    "twenty routes before it": POOL
    + "routes:\n"
    + "".join(
        f'  - name: r{number}\n    match: {{headers: [{{name: x-beta, exact: "{number}"}}]}}\n'
        "    pool: main\n"
        for number in range(20)
    )
    + ROUTE.removeprefix("routes:\n"),
    "round robin": POOL + "    balancing: round_robin\n" + ROUTE,
    "least request": POOL + "    balancing: least_request\n" + ROUTE,
    "peak EWMA": POOL + "    balancing: peak_ewma\n" + ROUTE,
    "field changes": POOL
    + ROUTE
    + "    headers:\n      request: {remove: [x-debug], set: {x-from: martlet}}\n"
    "      response: {set: {x-served-by: martlet}}\n",
    "split of two pools": POOL
    + "  - name: next\n    endpoints: [{backend}]\n"
    + ROUTE.replace("    pool: main\n", "")
    + "    split: [{pool: main, weight: 90}, {pool: next, weight: 10}]\n",
    "canary": POOL
    + ROUTE
    + "    canary: {model: half, baseline: {version: 1}, candidate: {version: 2}}\n",
    "shadow of 1 %": POOL
    + "  - name: next\n    endpoints: [{backend}]\n"
    + ROUTE
    + "    shadow: {pool: next, percent: 1}\n",
    "hedging": POOL + ROUTE + "    hedging: {delay_seconds: 1}\n",
    "breakers": POOL + "    breakers: {requests_max: 10000}\n" + ROUTE,
    "adaptive concurrency": POOL
    + "    adaptive_concurrency: {requests_min: 500, requests_max: 1000}\n"
    + ROUTE,
    "load reports": POOL + "    load_report_seconds: 0.1\n" + ROUTE,
    "API key and quota": POOL + ROUTE + "access:\n  api_keys_file: {folder}/keys.yaml\n",
}


def flags(policy: str, backend: int, folder: Path, name: str) -> list[str]:
    """The flags of a gateway with this policy, whose files are written to the folder."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    (folder / "keys.yaml").write_text(
        f"keys:\n  - id: bench\n    sha256: {digest}\n    tenant: bench\n"
        "    quotas: {requests_per_second: 1000000, burst: 1000000}\n",
        encoding="utf-8",
    )
    path = folder / f"{name}.yaml"
    text = policy.replace("{backend}", f"127.0.0.1:{backend}").replace("{folder}", str(folder))
    path.write_text(text, encoding="utf-8")
    return [f"--config={path}"]
