"""The same numbers in the words of each protocol, and the answers read back."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

import grpc
import numpy as np
import requests
from tritonclient.grpc import service_pb2

from peers.subjects import Subject

SECONDS_MAX = 60.0
GRPC_PATH = "/inference.GRPCInferenceService/ModelInfer"
# Of an answer's length: times and identifiers in it may differ.
LENGTH_MIN = 0.9
Shape = tuple[int, ...]


class WrongAnswerError(Exception):
    """A server did not answer as it must; timing it would mean nothing."""


@dataclass(frozen=True)
class Protocol:
    """How a request is written, and how its answer is read."""

    title: str
    is_grpc: bool
    path: str
    body: Callable[[Subject, Shape], bytes]
    read: Callable[[Subject, bytes], np.ndarray]
    # For servers to which the first dimension is the batch's and each row must have another.
    needs_columns: bool = False

    def url(self, subject: Subject, address: str) -> str:
        """Where requests go."""
        return f"http://{address}{self.path.format(model=subject.name)}"

    @property
    def flags(self) -> list[str]:
        """h2load's flags that make it so."""
        if self.is_grpc:
            return ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        return ["--h1", "-H", "content-type: application/json"]

    def words(self, subject: Subject) -> bytes:
        """The request."""
        shape = subject.input_values.shape
        return self.body(subject, (*shape, 1) if self.needs_columns and len(shape) < 2 else shape)

    def framed(self, subject: Subject) -> bytes:
        """The body as it is sent; gRPC's prefix says not compressed, and the length."""
        body = self.words(subject)
        return struct.pack(">BI", 0, len(body)) + body if self.is_grpc else body

    def ask(self, subject: Subject, address: str) -> tuple[np.ndarray, int]:
        """Ask once, by a stock client: the answer, and its length on the wire."""
        body = self.words(subject)
        if self.is_grpc:
            answer = ask_grpc(address, body)
        else:
            answer = ask_rest(self.url(subject, address), body)
        try:
            return self.read(subject, answer), len(answer)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise WrongAnswerError(f"answered {answer[:200]!r}: {error!r}") from error


def ask_rest(url: str, body: bytes) -> bytes:
    """Ask by `requests`."""
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        try:
            answer = session.post(url, data=body, headers=headers, timeout=SECONDS_MAX)
        except requests.RequestException as error:
            raise WrongAnswerError(f"{url}: {error}") from error
    if answer.status_code // 100 != 2:
        raise WrongAnswerError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
    return answer.content


def ask_grpc(address: str, body: bytes) -> bytes:
    """Ask by gRPC's own client, which looks at the status too."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 1 << 26)]
    with grpc.insecure_channel(address, options) as channel:
        try:
            return channel.unary_unary(GRPC_PATH)(body, timeout=SECONDS_MAX)
        except grpc.RpcError as error:
            raise WrongAnswerError(f"gRPC at {address}: {error}") from error


def version_2_body(subject: Subject, shape: Shape) -> bytes:
    """The Open Inference Protocol over REST."""
    request = {
        "inputs": [
            {
                "name": subject.signature.input,
                "shape": shape,
                "datatype": subject.datatype,
                "data": subject.input_values.ravel().tolist(),
            }
        ],
        "outputs": [{"name": subject.output}],
    }
    return json.dumps(request, separators=(",", ":")).encode()


def version_2_answer(subject: Subject, answer: bytes) -> np.ndarray:
    """The output that was asked for."""
    outputs = {each["name"]: each for each in json.loads(answer)["outputs"]}
    return np.array(outputs[subject.output]["data"], np.float32)


def grpc_body(subject: Subject, shape: Shape) -> bytes:
    """The Open Inference Protocol over gRPC, the numbers as raw bytes."""
    request = service_pb2.ModelInferRequest(model_name=subject.name)
    request.inputs.add(name=subject.signature.input, datatype=subject.datatype, shape=shape)
    request.outputs.add(name=subject.output)
    request.raw_input_contents.append(subject.array.tobytes())
    return request.SerializeToString()


def grpc_answer(subject: Subject, answer: bytes) -> np.ndarray:
    """The output that was asked for, which a server may write in either form."""
    response = service_pb2.ModelInferResponse.FromString(answer)
    names = [output.name for output in response.outputs]
    index = names.index(subject.output)
    if response.raw_output_contents:
        return np.frombuffer(response.raw_output_contents[index], np.float32)
    return np.array(response.outputs[index].contents.fp32_contents, np.float32)


def plain_body(subject: Subject, shape: Shape) -> bytes:
    """The words of servers that leave the protocol to their user."""
    return json.dumps({"inputs": subject.input_values.tolist()}, separators=(",", ":")).encode()


def plain_answer(subject: Subject, answer: bytes) -> np.ndarray:
    """Nested lists, alone or under `outputs`."""
    found = json.loads(answer)
    return np.array(found["outputs"] if isinstance(found, dict) else found, np.float32)


VERSION_2_PATH = "/v2/models/{model}/infer"
REST = Protocol("REST", False, VERSION_2_PATH, version_2_body, version_2_answer)
GRPC = Protocol("gRPC", True, GRPC_PATH, grpc_body, grpc_answer)
TRITON_REST = replace(REST, needs_columns=True)
TRITON_GRPC = replace(GRPC, needs_columns=True)
PLAIN = Protocol("REST", False, "/predict", plain_body, plain_answer)
