"""KServe's model server: a custom predictor."""

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid
from served_model import GRPC_PORT, NAME, OUTPUT, PORT, WORKERS, ServedModel


class Predictor(Model):
    """Runs one SavedModel; workers are started by pickling this, so each loads its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.model: ServedModel | None = None
        self.ready = True

    def predict(
        self, payload: InferRequest, headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Answer one request; not a coroutine, so KServe runs it in a thread."""
        if self.model is None:
            self.model = ServedModel()
        answer = self.model(payload.inputs[0].as_numpy())
        output = InferOutput(name=OUTPUT, shape=list(answer.shape), datatype="FP32")
        output.set_data_from_numpy(answer.astype(np.float32), binary_data=payload.from_grpc)
        return InferResponse(payload.id or generate_uuid(), self.name, [output])


if __name__ == "__main__":
    ModelServer(http_port=PORT, grpc_port=GRPC_PORT, workers=WORKERS, max_threads=WORKERS).start(
        [Predictor(NAME)]
    )
