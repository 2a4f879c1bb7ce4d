"""Tensors in shared memory through the stock tritonclient, over HTTP and gRPC."""

import contextlib
import os
import socket
import uuid

import numpy as np
import pytest
import requests
import tritonclient.grpc
import tritonclient.http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

VALUES = np.array([1.0, 2.0, 5.0], np.float32)
ANSWER = [2.5, 3.0, 4.5]


@pytest.fixture(params=[tritonclient.http, tritonclient.grpc], ids=["http", "grpc"])
def stock(request):
    return request.param


@pytest.fixture
def client(stock, node):
    with contextlib.closing(stock.InferenceServerClient(node.address)) as client:
        yield client
        client.unregister_system_shared_memory()


@contextlib.contextmanager
def region(size=64, key=None):
    """A shared memory object of the stock client's, and its key."""
    key = key or f"/martlet-test-{uuid.uuid4().hex}"
    handle = shm.create_shared_memory_region("region", key, size)
    try:
        yield key, handle
    finally:
        shm.destroy_shared_memory_region(handle)


@contextlib.contextmanager
def refused(text):
    with pytest.raises(InferenceServerException) as failure:
        yield
    assert text in failure.value.message(), failure.value


def names(client):
    status = client.get_system_shared_memory_status()
    return {r["name"] for r in status} if isinstance(status, list) else set(status.regions)


def half_plus_two(stock, client, name="r", size=12, offset=0, out=None, **options):
    x = stock.InferInput("x", [3], "FP32")
    x.set_shared_memory(name, size, offset)
    outputs = []
    if out:
        y = stock.InferRequestedOutput("y")
        y.set_shared_memory(*out)
        outputs = [y]
    return client.infer("half_plus_two", [x], outputs=outputs or None, **options)


def test_server_says_that_it_can(stock, client):
    metadata = client.get_server_metadata()
    extensions = metadata["extensions"] if isinstance(metadata, dict) else metadata.extensions
    assert "system_shared_memory" in extensions


def test_tensors_go_in_and_out_through_shared_memory(stock, client):
    with region() as (key, handle):
        shm.set_shared_memory_region(handle, [VALUES], offset=4)
        client.register_system_shared_memory("r", key, 64)
        answer = half_plus_two(stock, client, offset=4, out=("r", 16, 32), request_id="7")
        output = answer.get_output("y")
        if stock is tritonclient.http:
            assert output["parameters"] == {
                "shared_memory_region": "r",
                "shared_memory_byte_size": 12,
                "shared_memory_offset": 32,
            }
            assert output["shape"] == [3]
        else:
            assert output.parameters["shared_memory_region"].string_param == "r"
            assert output.parameters["shared_memory_byte_size"].int64_param == 12
            assert output.shape == [3]
        assert shm.get_contents_as_numpy(handle, np.float32, [3], 32).tolist() == ANSWER
        # The input is as it was.
        assert shm.get_contents_as_numpy(handle, np.float32, [3], 4).tolist() == VALUES.tolist()


def test_input_alone_and_output_alone(stock, client):
    with region() as (key, handle):
        shm.set_shared_memory_region(handle, [VALUES])
        client.register_system_shared_memory("r", key, 64)
        assert half_plus_two(stock, client).as_numpy("y").tolist() == ANSWER
        x = stock.InferInput("x", [3], "FP32")
        x.set_data_from_numpy(VALUES)
        y = stock.InferRequestedOutput("y")
        y.set_shared_memory("r", 12)
        client.infer("half_plus_two", [x], outputs=[y])
        assert shm.get_contents_as_numpy(handle, np.float32, [3]).tolist() == ANSWER


def test_inputs_in_shared_memory_and_in_the_message_are_mixed(stock, client):
    with region() as (key, handle):
        shm.set_shared_memory_region(handle, [np.array([10.0, 20.0], np.float32)])
        client.register_system_shared_memory("r", key, 64)
        a = stock.InferInput("a", [2], "FP32")
        a.set_shared_memory("r", 8)
        b = stock.InferInput("b", [2], "FP32")
        b.set_data_from_numpy(np.array([1.0, 2.0], np.float32))
        total, product = (stock.InferRequestedOutput(name) for name in ("sum", "product"))
        total.set_shared_memory("r", 8, 8)
        for inputs, outputs in (([a, b], [total, product]), ([b, a], [product, total])):
            answer = client.infer("multi_input", inputs, outputs=outputs)
            assert answer.as_numpy("product").tolist() == [10.0, 40.0]
            assert shm.get_contents_as_numpy(handle, np.float32, [2], 8).tolist() == [11.0, 22.0]
            shm.set_shared_memory_region(handle, [np.zeros(2, np.float32)], 8)


def test_strings_go_in_and_out(stock, client):
    words = np.array([b"robin", b"", "ä".encode()], dtype=object)
    serialized = serialize_byte_tensor(words)
    size = len(serialized.item())
    metadata = client.get_model_metadata("strings")
    if stock is tritonclient.http:
        name = metadata["inputs"][0]["name"]
        outputs = {each["datatype"]: each["name"] for each in metadata["outputs"]}
    else:
        name = metadata.inputs[0].name
        outputs = {each.datatype: each.name for each in metadata.outputs}
    output = outputs["BYTES"]
    given = stock.InferInput(name, [3], "BYTES")
    given.set_data_from_numpy(words)
    expected = client.infer("strings", [given]).as_numpy(output)
    with region(512) as (key, handle):
        shm.set_shared_memory_region(handle, [serialized])
        client.register_system_shared_memory("r", key, 512)
        x = stock.InferInput(name, [3], "BYTES")
        x.set_shared_memory("r", size)
        y = stock.InferRequestedOutput(output)
        y.set_shared_memory("r", 256, 256)
        client.infer("strings", [x], outputs=[y])
        got = shm.get_contents_as_numpy(handle, np.object_, expected.shape, 256)
        assert got.tolist() == expected.tolist()


def test_regions_are_listed_and_forgotten(stock, client):
    with region() as (key, _):
        client.register_system_shared_memory("one", key, 32, offset=8)
        client.register_system_shared_memory("two", key.removeprefix("/"), 64)
        assert names(client) == {"one", "two"}
        one = client.get_system_shared_memory_status("one")
        if isinstance(one, list):
            assert one == [{"name": "one", "key": key, "offset": 8, "byte_size": 32}]
        else:
            told = one.regions["one"]
            assert (told.name, told.key, told.offset, told.byte_size) == ("one", key, 8, 32)
        with refused("registered already"):
            client.register_system_shared_memory("one", key, 32)
        client.unregister_system_shared_memory("one")
        client.unregister_system_shared_memory("one")
        assert names(client) == {"two"}
        client.unregister_system_shared_memory()
        assert names(client) == set()
        with refused("Unable to find shared memory region: 'one'"):
            client.get_system_shared_memory_status("one")


@pytest.mark.parametrize(
    ("key", "size", "offset", "text"),
    [
        ("/martlet-nothing-of-that-name", 8, 0, "Unable to open"),
        ("/../etc/passwd", 8, 0, "without another '/'"),
        ("/sem.lock", 8, 0, "semaphore"),
        ("", 8, 0, "is empty"),
        (None, 65, 0, "Invalid offset + byte size"),
        (None, 8, 60, "Invalid offset + byte size"),
        (None, 0, 0, "byte_size 1 or more"),
        (None, 2**63 - 1, 8, "Invalid offset + byte size"),
    ],
)
def test_registrations_that_cannot_be_are_refused(client, key, size, offset, text):
    with region() as (good, _), refused(text):
        client.register_system_shared_memory("r", good if key is None else key, size, offset)
    assert names(client) == set()


def test_sizes_that_do_not_fit_are_named(stock, client):
    with region() as (key, handle):
        shm.set_shared_memory_region(handle, [VALUES])
        client.register_system_shared_memory("r", key, 32)
        with refused("Unable to find shared memory region: 'other'"):
            half_plus_two(stock, client, name="other")
        with refused("expected 12 bytes"):
            half_plus_two(stock, client, size=8)
        with refused("Invalid offset + byte size"):
            half_plus_two(stock, client, offset=24)
        with refused("output 'y' has 12 bytes, but its 'shared_memory_byte_size' is 8"):
            half_plus_two(stock, client, out=("r", 8, 0))
        with refused("output 'y': Invalid offset + byte size"):
            half_plus_two(stock, client, out=("r", 33, 0))
        with refused("output 'y': Unable to find shared memory region"):
            half_plus_two(stock, client, out=("other", 12, 0))
        # All of it harmed nothing.
        assert half_plus_two(stock, client).as_numpy("y").tolist() == ANSWER


def test_region_that_is_unregistered_is_unknown(stock, client):
    with region() as (key, handle):
        shm.set_shared_memory_region(handle, [VALUES])
        client.register_system_shared_memory("r", key, 32)
        half_plus_two(stock, client)
        client.unregister_system_shared_memory("r")
        with refused("Unable to find shared memory region: 'r'"):
            half_plus_two(stock, client)


def test_region_cut_short_harms_only_its_request(stock, client, node):
    key = f"/martlet-test-{uuid.uuid4().hex}"
    path = f"/dev/shm{key}"
    with open(path, "wb") as file:
        file.write(bytes(1 << 16))
    try:
        client.register_system_shared_memory("r", key, 1 << 16)
        half_plus_two(stock, client, offset=1 << 15, out=("r", 12, 0))
        os.truncate(path, 8)
        with refused("has become shorter"):
            half_plus_two(stock, client)
        with refused("has become shorter"):
            half_plus_two(stock, client, offset=1 << 15)
        x = stock.InferInput("x", [3], "FP32")
        x.set_data_from_numpy(VALUES)
        y = stock.InferRequestedOutput("y")
        y.set_shared_memory("r", 12)
        with refused("has become shorter"):
            client.infer("half_plus_two", [x], outputs=[y])
        assert os.path.getsize(path) == 8
        os.truncate(path, 0)
        with refused("has become shorter"):
            half_plus_two(stock, client)
    finally:
        os.unlink(path)
    # The object lives on until it is unregistered.
    assert names(client) == {"r"}
    node.assert_running()


def test_memory_of_graphics_processors_is_refused(stock, client, node):
    with refused("graphics processors"):
        client.get_cuda_shared_memory_status()
    if stock is tritonclient.http:
        base = f"http://{node.address}/v2/cudasharedmemory"
        for path in ("/region/r/register", "/unregister"):
            assert requests.post(base + path, json={}, timeout=60).status_code == 501


def test_malformed_requests_over_rest_are_refused(node):
    base = f"http://{node.address}/v2/systemsharedmemory"
    for body in (b"", b"[]", b"{}", b'{"key": 5}', b'{"key": "/k", "offset": -1, "byte_size": 1}'):
        response = requests.post(f"{base}/region/r/register", data=body, timeout=60)
        assert response.status_code == 400, response.text
    for method, path in (
        ("POST", "/status"),
        ("GET", "/region/r/register"),
        ("POST", "/region/r/what"),
        ("POST", "/region//register"),
        ("GET", "/region/r"),
    ):
        status = requests.request(method, base + path, timeout=60).status_code
        assert status in (400, 404), (method, path, status)


# MARK: Who may use it


def own_address():
    """An address of this machine that is not the loopback's; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    if address.startswith(("127.", "0.")):
        pytest.skip("this machine has no other address than the loopback's")
    return address


def test_foreign_peers_are_refused(martlet, stock):
    address = own_address()
    node = martlet.serve(("half_plus_two",), "--host", "0.0.0.0")
    foreign = f"{address}:{node.port}"
    with contextlib.closing(stock.InferenceServerClient(foreign)) as client, region() as (key, _):
        for call in (
            lambda: client.register_system_shared_memory("r", key, 8),
            client.get_system_shared_memory_status,
            client.unregister_system_shared_memory,
            lambda: half_plus_two(stock, client),
        ):
            with refused("own machine"):
                call()
        x = stock.InferInput("x", [3], "FP32")
        x.set_data_from_numpy(VALUES)
        assert client.infer("half_plus_two", [x]).as_numpy("y").tolist() == ANSWER


def test_requests_through_a_gateway_are_refused(martlet, stock):
    node = martlet.serve(("half_plus_two",))
    gateway = martlet.gateway([node])
    client = stock.InferenceServerClient(gateway.address)
    with contextlib.closing(client), refused("own machine"):
        half_plus_two(stock, client)


def test_access_is_as_the_operator_says(martlet, stock):
    node = martlet.serve(("half_plus_two",), "--shared-memory", "off")
    with contextlib.closing(stock.InferenceServerClient(node.address)) as client:
        metadata = client.get_server_metadata()
        extensions = metadata["extensions"] if isinstance(metadata, dict) else metadata.extensions
        assert "system_shared_memory" not in extensions
        with refused("--shared-memory off"):
            client.get_system_shared_memory_status()
        with refused("--shared-memory off"):
            half_plus_two(stock, client)
