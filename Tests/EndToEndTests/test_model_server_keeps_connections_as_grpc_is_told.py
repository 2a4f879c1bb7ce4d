"""What `--grpc_channel_arguments` says of connections and messages holds, as with gRPC itself."""

import contextlib
import socket

import grpc
import h2.config
import h2.connection
import pytest
from harness.clients import refused
from harness.tensors import array_of, tensor

GOAWAY = 7


@contextlib.contextmanager
def connected(server):
    """A connection on which nothing is asked, as a file, and h2's view of its beginning."""
    host, port = server.grpc_address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        with connection.makefile("rb") as received:
            yield protocol, received


def frames(received):
    """Every frame with its head, until the server hangs up; h2 takes none behind a GOAWAY."""
    while head := received.read(9):
        yield head + received.read(int.from_bytes(head[:3], "big"))


@pytest.mark.parametrize("setting", ["grpc.max_connection_age_ms", "grpc.max_connection_idle_ms"])
def test_connection_ends_by_itself_and_calls_go_on(tensorflow_model_server, setting):
    server = tensorflow_model_server(f"--grpc_channel_arguments={setting}=300")
    server.assert_unharmed()
    with connected(server) as (_, received):
        assert any(frame[3] == GOAWAY for frame in frames(received))
    # The stock client's connection has come to its end about then too.
    server.assert_unharmed()


def test_client_is_told_how_many_calls_may_be_open(tensorflow_model_server):
    server = tensorflow_model_server("--grpc_channel_arguments=grpc.max_concurrent_streams=7")
    with connected(server) as (protocol, received):
        protocol.receive_data(next(frames(received)))
        assert protocol.remote_settings.max_concurrent_streams == 7


def test_answer_beyond_the_size_allowed_is_an_error(tensorflow_model_server):
    server = tensorflow_model_server("--grpc_channel_arguments=grpc.max_send_message_length=1000")
    short = server.grpc.predict("half_plus_two", {"x": tensor("float", [1.0] * 100)})
    assert len(array_of(short.outputs["y"])) == 100
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        server.grpc.predict("half_plus_two", {"x": tensor("float", [1.0] * 1000)})
    server.assert_unharmed()
