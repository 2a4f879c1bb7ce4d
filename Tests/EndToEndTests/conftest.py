"""Fixtures of the end-to-end tests, and what makes their failures readable."""

import contextlib
import faulthandler
import functools
import os
import time

import grpc
import pytest
from harness import language_models, model_server, models, processes
from harness.processes import Launcher
from harness.tensors import array_of, tensor
from harness.waiting import PATIENCE, deadline

TEST_SECONDS = 30
SET_UP_SECONDS = 90
LOG_LINES = 40
REAL_STDERR = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def session_martlet(tmp_path_factory):
    """Starts processes that all tests share."""
    launcher = Launcher(tmp_path_factory.mktemp("shared"))
    yield launcher
    launcher.close()


@pytest.fixture
def martlet(tmp_path):
    """Starts processes for one test, which it may disturb."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture
def tensorflow_model_server(martlet):
    """Starts model servers for one test; see `harness.model_server.start`."""
    return functools.partial(model_server.start, martlet)


@pytest.fixture(scope="module")
def module_martlet(tmp_path_factory):
    """Starts processes that the tests of one file share."""
    launcher = Launcher(tmp_path_factory.mktemp("module"))
    yield launcher
    launcher.close()


@pytest.fixture(scope="session")
def only_node(session_martlet):
    return session_martlet.serve(models.SHARED, access_log=True)


@pytest.fixture(scope="session")
def only_strict_node(session_martlet):
    return session_martlet.serve(
        ("half_plus_two", "dtypes"),
        *("--max-message-bytes", 1 << 20),
        *("--header-timeout-seconds", 1),
    )


@pytest.fixture
def node(only_node):
    """The shared node with all models, which every test leaves running."""
    yield only_node
    only_node.assert_running()


@pytest.fixture
def strict_node(only_strict_node):
    """A shared node that takes messages of up to 1 MiB and waits a second for headers."""
    yield only_strict_node
    only_strict_node.assert_running()


@pytest.fixture(scope="session")
def only_language_node(session_martlet):
    return language_models.serve(session_martlet)


@pytest.fixture
def language_node(only_language_node):
    """The shared node with a language model, which every test leaves running and idle."""
    yield only_language_node
    only_language_node.assert_running()
    language_models.await_idle(only_language_node)


@pytest.fixture
def language_model(language_node):
    """The stock `openai` client of the shared node with a language model."""
    return language_node.openai


@pytest.fixture(scope="session")
def steps_lasting(only_node):
    """How many steps make the `matrix` model run for so many seconds on this machine."""
    answers = [
        only_node.grpc.predict("matrix", {"steps": tensor("int32", steps)}) for steps in (1, 500)
    ]
    assert array_of(answers[1].outputs["done"]) == 500
    rate = 500 / measured_seconds(only_node, 500)
    return lambda seconds: int(rate * seconds)


def measured_seconds(node, steps):
    start = time.monotonic()
    node.grpc.predict("matrix", {"steps": tensor("int32", steps)})
    return time.monotonic() - start


def pytest_configure(config):
    # What a test writes is kept until its end, which one that hangs does not have.
    config.stash[REAL_STDERR] = os.dup(2)


def pytest_report_header():
    return [f"martlet: {processes.BINARY}", f"grpcio: {grpc.__version__}"]


def pytest_runtest_logstart():
    for process in processes.STARTED:
        process.log_mark = process.log.stat().st_size


def pytest_runtest_logfinish():
    processes.STARTED[:] = [process for process in processes.STARTED if process.running]


@contextlib.contextmanager
def bounded(item, seconds, what):
    """Ends a part of a test that hangs."""
    # Should the exception not get through, the whole run ends; the kernel then ends our processes.
    stderr = item.config.stash[REAL_STDERR]
    faulthandler.dump_traceback_later(PATIENCE * seconds + 90, exit=True, file=stderr)
    try:
        with deadline(seconds, what):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    with bounded(item, SET_UP_SECONDS, f"the set-up of {item.name}"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else TEST_SECONDS
    with bounded(item, seconds, item.name):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    with bounded(item, SET_UP_SECONDS, f"the teardown of {item.name}"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A failure shows what the processes logged while the test ran."""
    report = yield
    if report.failed:
        for process in processes.STARTED:
            lines = process.log_since_mark().splitlines()[-LOG_LINES:]
            if lines:
                report.sections.append(
                    (f"stderr of {process.name} ({process.log})", "\n".join(lines))
                )
    return report
