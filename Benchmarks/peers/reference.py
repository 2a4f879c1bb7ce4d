"""TensorFlow's own answer to one request, which every server's is compared with.

    .venv-models/bin/python reference.py VALUES SHAPE ANSWER

VALUES and ANSWER are files of raw numbers, SHAPE is like 1,224,224,3. The model is named by the
same environment as a peer's.
"""

import sys
from pathlib import Path

import numpy as np
from serving.served_model import ServedModel

values, shape, answer = sys.argv[1:]
model = ServedModel()
array = np.fromfile(values, model.dtype).reshape([int(size) for size in shape.split(",")])
Path(answer).write_bytes(model(array).astype(np.float32).tobytes())
