"""The peers, each with the settings that its manual recommends for production.

In all of them workers are as many as cores, each with one thread of TensorFlow, and requests of
light models wait 1 ms for others to join their batch.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from peers.martlet import martlet
from peers.peer import SERVING, Launch, Peer
from peers.protocols import GRPC, PLAIN, REST, TRITON_GRPC, TRITON_REST


def script(name: str) -> Callable[[Launch], Sequence[str | Path]]:
    """The command of a peer that is a program of ours over its packages."""
    return lambda launch: [launch.python, SERVING / name]


def mlserver(launch: Launch) -> Sequence[str | Path]:
    """`mlserver start` on a folder with its two files of settings."""
    batch = launch.subject.batch
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": launch.port,
        "grpc_port": launch.grpc_port,
        "metrics_port": launch.spare_ports[0],
        "parallel_workers": launch.workers,
        "grpc_max_message_length": 1 << 26,
        "environments_dir": str(launch.folder / "environments"),
        "metrics_dir": str(launch.folder / "metrics"),
    }
    model = {
        "name": launch.subject.name,
        "implementation": "mlserver_runtime.Runtime",
        "parameters": {"uri": str(launch.subject.version)},
    }
    if batch > 1:
        model |= {"max_batch_size": batch, "max_batch_time": 0.001}
    # MLServer wants a model's folder to have the model's name.
    folder = launch.folder / launch.subject.name
    folder.mkdir(exist_ok=True)
    (launch.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    (launch.folder / "metrics").mkdir(exist_ok=True)
    return [launch.tool("mlserver"), "start", launch.folder]


def bentoml(launch: Launch) -> Sequence[str | Path]:
    """`bentoml serve`, which is its production mode."""
    at = ["--host", "127.0.0.1", "--port", str(launch.port)]
    return [launch.tool("bentoml"), "serve", "bentoml_app:Service", "--working-dir", SERVING, *at]


PEERS = (
    martlet,
    Peer(
        "triton",
        "Triton, Python backend",
        "nvidia-pytriton",
        "PyTriton: as many instances of the model as cores, dynamic batching (1 ms) of light "
        "models, no metrics",
        (TRITON_REST, TRITON_GRPC),
        script("triton_app.py"),
        "/v2/models/{model}/ready",
        brings="2.51.0",
    ),
    Peer(
        "mlserver",
        "MLServer",
        "mlserver",
        "a custom runtime, parallel_workers as many as cores, adaptive batching (32 requests, "
        "1 ms) of light models, no access log",
        (REST, GRPC),
        mlserver,
        "/v2/models/{model}/ready",
    ),
    Peer(
        "kserve",
        "KServe's server",
        "kserve",
        "a custom predictor, workers as many as cores for REST; gRPC is answered by one process "
        "with as many threads; it has no batching outside Kubernetes",
        (REST, GRPC),
        script("kserve_app.py"),
        "/v2/models/{model}/ready",
    ),
    Peer(
        "litserve",
        "LitServe",
        "litserve",
        "workers and API servers as many as cores, batching (32 requests, 1 ms) of light models, "
        "no access log",
        (PLAIN,),
        script("litserve_app.py"),
        "/health",
    ),
    Peer(
        "bentoml",
        "BentoML",
        "bentoml",
        "workers as many as cores, adaptive batching (32 requests) of light models, no access log",
        (PLAIN,),
        bentoml,
        "/readyz",
        environment=(("BENTOML_DO_NOT_TRACK", "True"),),
    ),
    Peer(
        "ray",
        "Ray Serve",
        "ray",
        "replicas as many as cores, 100 requests under way in each, serve.batch (32 requests, "
        "1 ms) of light models, RAY_SERVE_THROUGHPUT_OPTIMIZED, no dashboard, no access log",
        (PLAIN,),
        script("ray_app.py"),
        "/-/healthz",
        restless=True,
        environment=(("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")),
    ),
)
