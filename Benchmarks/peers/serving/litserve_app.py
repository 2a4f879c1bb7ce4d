"""LitServe: a LitAPI; each worker is a process."""

import litserve as ls
from served_model import BATCH, PORT, WAIT_SECONDS, WORKERS, ServedModel


class Predictor(ls.LitAPI):
    """Runs one SavedModel."""

    def setup(self, device: str) -> None:
        """Load it into a worker."""
        self.model = ServedModel()

    def decode_request(self, request: dict) -> list:
        """The values."""
        return request["inputs"]

    def batch(self, inputs: list) -> list:
        """Requests as they are: the model joins their rows."""
        return inputs

    def predict(self, values: list) -> object:
        """Answer one request, or what LitServe has put together."""
        return self.model.batch(values) if BATCH > 1 else self.model(values)

    def unbatch(self, output: list) -> list:
        """An answer for each request."""
        return output

    def encode_response(self, output: object) -> dict:
        """The answer as it is sent."""
        return {"outputs": output.tolist()}


if __name__ == "__main__":
    api = Predictor(max_batch_size=BATCH, batch_timeout=WAIT_SECONDS if BATCH > 1 else 0.0)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, timeout=120)
    server.run(
        host="127.0.0.1",
        port=PORT,
        num_api_servers=WORKERS,
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )
