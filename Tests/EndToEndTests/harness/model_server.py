"""Martlet called as `tensorflow_model_server`, with nothing but what the original offers."""

import functools

from harness.clients import GrpcClient
from harness.models import fixture
from harness.paths import BINARY
from harness.processes import Node
from harness.sockets import free_ports

NAME = "tensorflow_model_server"


class ModelServer(Node):
    """A server on two ports: `address` is REST's, `grpc_address` is gRPC's."""

    def __init__(self, name, flags, directory, ready, ports=None, **options):
        self.grpc_port, self.rest_port = ports or free_ports(2)
        self.address = f"127.0.0.1:{self.rest_port}"
        self.grpc_address = f"127.0.0.1:{self.grpc_port}"
        listening = [f"--port={self.grpc_port}", f"--rest_api_port={self.rest_port}"]
        # Its own line, as Node's is for the port files of `serve`.
        super(Node, self).__init__(
            name, [*listening, *flags], directory, binary=linked(directory), **options
        )
        if ready:
            self.await_http(self.address, f"/healthz/{ready}")

    @functools.cached_property
    def grpc(self):
        return self.client(GrpcClient, self.grpc_address)


def start(launcher, *flags, models="half_plus_two", ready="ready", **options):
    """A server that is ready.

    `models` is the name of a fixture; or names and folders, or whole entries, for a file of models.
    """
    if isinstance(models, str):
        flags = (f"--model_name={models}", f"--model_base_path={fixture(models)}", *flags)
    elif models is not None:
        file = config_file(launcher.directory / "models.config", models)
        flags = (f"--model_config_file={file}", *flags)
    return launcher.start(ModelServer, "model-server", flags, ready=ready, **options)


def config_file(path, models):
    """A file of models: of each its folder, or its folder and what else its entry says."""
    entries = []
    for name, entry in models.items():
        folder, more = entry if isinstance(entry, tuple) else (entry, "")
        entries.append(
            f"  config {{\n    name: '{name}'\n    base_path: '{folder}'\n"
            f"    model_platform: 'tensorflow'\n    {more}\n  }}\n"
        )
    return text_file(path, "model_config_list {\n" + "".join(entries) + "}\n")


def text_file(path, text):
    """Writes a file at once: who polls it never sees a part of it."""
    staging = path.with_name(f".{path.name}")
    staging.write_text(text, encoding="utf-8")
    staging.rename(path)
    return path


def linked(directory):
    """The binary under the name of the program that it stands in for."""
    link = directory / NAME
    if not link.is_symlink():
        link.symlink_to(BINARY)
    return link
