"""Triton with its Python backend, by PyTriton: the model runs in this process's threads."""

from functools import partial

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from served_model import (
    BATCH,
    GRPC_PORT,
    INPUT,
    NAME,
    OUTPUT,
    PORT,
    ROWS,
    WAIT_SECONDS,
    WORKERS,
    ServedModel,
)

MODEL = ServedModel()


@batch
def joined(**inputs: np.ndarray) -> dict[str, np.ndarray]:
    """What Triton has put together; beyond the batch's dimension it insists on one more."""
    rows = inputs[INPUT]
    answer = MODEL(rows.reshape(len(rows), *MODEL.shape))
    return {OUTPUT: answer.reshape(len(rows), *(MODEL.answer_shape or (1,)))}


def each(requests: list) -> list[dict[str, np.ndarray]]:
    """Requests one by one."""
    return [{OUTPUT: MODEL(request[INPUT])} for request in requests]


def main() -> None:
    """Serve until the process is told to end."""
    batching = BATCH > 1
    lead = () if batching else (-1,)
    shape, answer_shape = MODEL.shape or (1,), MODEL.answer_shape or (1,)
    delay = DynamicBatcher(max_queue_delay_microseconds=round(WAIT_SECONDS * 1e6))
    configuration = TritonConfig(
        http_address="127.0.0.1",
        http_port=PORT,
        grpc_address="127.0.0.1",
        grpc_port=GRPC_PORT,
        allow_metrics=False,
    )
    with Triton(config=configuration) as triton:
        triton.bind(
            model_name=NAME,
            infer_func=[partial(joined) if batching else partial(each) for _ in range(WORKERS)],
            inputs=[Tensor(name=INPUT, dtype=MODEL.dtype, shape=(*lead, *shape))],
            outputs=[Tensor(name=OUTPUT, dtype=np.float32, shape=(*lead, *answer_shape))],
            config=ModelConfig(batching=batching, max_batch_size=BATCH * ROWS, batcher=delay),
        )
        triton.serve()


if __name__ == "__main__":
    main()
