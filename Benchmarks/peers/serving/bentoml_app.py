"""BentoML: a service; each worker is a process."""

import bentoml
import numpy as np
from served_model import BATCH, WORKERS, ServedModel

BATCHING = {"batchable": True, "max_batch_size": BATCH, "max_latency_ms": 1000}


@bentoml.service(workers=WORKERS, traffic={"timeout": 120}, logging={"access": {"enabled": False}})
class Service:
    """Runs one SavedModel."""

    def __init__(self) -> None:
        self.model = ServedModel()

    @bentoml.api(**(BATCHING if BATCH > 1 else {}))
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Answer one request, or what BentoML has put together."""
        return self.model(inputs)
