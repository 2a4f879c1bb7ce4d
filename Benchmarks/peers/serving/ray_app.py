"""Ray Serve: a deployment with as many replicas as workers, on a Ray of its own."""

import signal

import ray
from ray import serve
from served_model import BATCH, PORT, WAIT_SECONDS, WORKERS, ServedModel
from starlette.requests import Request


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=100, ray_actor_options={"num_cpus": 1})
class Predictor:
    """Runs one SavedModel."""

    def __init__(self) -> None:
        self.model = ServedModel()

    async def __call__(self, request: Request) -> dict:
        """Answer one request."""
        values = (await request.json())["inputs"]
        answer = await self.together(values) if BATCH > 1 else self.model(values)
        return {"outputs": answer.tolist()}

    @serve.batch(max_batch_size=max(BATCH, 2), batch_wait_timeout_s=WAIT_SECONDS)
    async def together(self, requests: list) -> list:
        """What Ray Serve has put together."""
        return self.model.batch(requests)


if __name__ == "__main__":
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        logging_level="ERROR",
        object_store_memory=256 << 20,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT, "location": "HeadOnly"})
    serve.run(
        Predictor.bind(), route_prefix="/predict", logging_config={"enable_access_log": False}
    )
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
