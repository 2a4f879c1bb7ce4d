"""MLServer: a custom runtime, which its workers load."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from served_model import OUTPUT, ServedModel


class Runtime(MLModel):
    """Runs one SavedModel."""

    async def load(self) -> bool:
        """Load it into a worker."""
        self.model = ServedModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request, or what MLServer has put together."""
        answer = self.model(NumpyCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output(OUTPUT, answer)
        return InferenceResponse(model_name=self.name, outputs=[output])
