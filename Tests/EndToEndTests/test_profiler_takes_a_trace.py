"""The stock profiler client takes a trace of a node under load, and nobody else is disturbed."""

import subprocess
import threading

import grpc
import pytest
from harness.clients import refused
from harness.paths import REPOSITORY

PYTHON = REPOSITORY / ".venv-models" / "bin" / "python"
PROFILE = "/tensorflow.ProfilerService/Profile"
TERMINATE = "/tensorflow.ProfilerService/Terminate"

TRACE = """
import glob, sys
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2
address, folder = sys.argv[1:]
tf.profiler.experimental.client.trace("grpc://" + address, folder, 1000)
(path,) = glob.glob(folder + "/plugins/profile/*/*.xplane.pb")
space = xplane_pb2.XSpace.FromString(open(path, "rb").read())
(plane,) = space.planes
assert plane.name == "/host:CPU"
events = sum(len(line.events) for line in plane.lines)
names = sorted(metadata.name for metadata in plane.event_metadata.values())
print("EVENTS", events, names)
print(tf.profiler.experimental.client.monitor("grpc://" + address, 200))
"""


@pytest.fixture
def loaded(martlet):
    """A node that is asked again and again."""
    node = martlet.serve(("half_plus_two",), "--enable-profiler")
    enough = threading.Event()

    def ask():
        while not enough.wait(0.01):
            node.rest.predict("half_plus_two", {"instances": [1.0]})

    thread = threading.Thread(target=ask)
    thread.start()
    yield node
    enough.set()
    thread.join()


@pytest.mark.deadline(120)
def test_stock_client_takes_a_trace_of_requests_and_runs(loaded, tmp_path):
    if not PYTHON.exists():
        pytest.skip("TensorFlow is missing; scripts/setup.sh models-venv fetches it")
    traced = subprocess.run(
        [PYTHON, "-c", TRACE, loaded.address, tmp_path / "trace"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert traced.returncode == 0, traced.stdout + traced.stderr
    (line,) = [line for line in traced.stdout.splitlines() if line.startswith("EVENTS")]
    assert int(line.split()[1]) > 0
    assert "['half_plus_two:predict', 'run half_plus_two']" in line
    assert "Requests per second: " in traced.stdout


def test_a_recording_holds_no_thread_and_ends_when_told(martlet):
    node = martlet.serve(("half_plus_two",), "--enable-profiler")
    # duration_ms = 60000, session_id = "s", emit_xspace = true.
    request = bytes([0x08, 0xE0, 0xD4, 0x03, 0x32, 1]) + b"s" + bytes([0x48, 1])
    recording = node.grpc.channel.unary_unary(PROFILE).future(request, timeout=60)
    node.await_in_flight(1)
    node.rest.predict("half_plus_two", {"instances": [1.0]})
    assert node.rest.get("/healthz/ready").status_code == 200
    with refused(grpc.StatusCode.UNAVAILABLE, "Another profiler session is active."):
        node.grpc.call(PROFILE, bytes([0x08, 1]))
    node.grpc.call(TERMINATE, bytes([0x0A, 1]) + b"s")
    assert b"half_plus_two:predict" in recording.result()


def test_nothing_can_be_recorded_unless_the_operator_lets_it(node):
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        node.grpc.call(PROFILE, b"")
