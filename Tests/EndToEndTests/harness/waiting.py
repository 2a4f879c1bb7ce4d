"""Waiting for an event, never for a length of time."""

import contextlib
import faulthandler
import signal
import sys
import time

# By how much longer than on a quick machine everything may take before a test fails. What hangs is
# so told later; what is only slow is no failure.
PATIENCE = 4

AGAIN_SECONDS = 20


def await_until(condition, what, seconds=20.0, interval=0.02):
    """Polls `condition` until it returns something true, which is then the answer.

    `seconds` are those of a quick machine.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}; last seen: {value!r}")
        time.sleep(interval)


@contextlib.contextmanager
def deadline(seconds, what):
    """Ends a test that hangs, by an exception in the main thread, after showing every stack.

    `seconds` are those of a quick machine. The exception is none of those that code takes care of:
    as a TimeoutError, which is an OSError, it was lost wherever a connection may break. Where it is
    lost all the same, it comes again.
    """
    seconds *= PATIENCE

    def expire(*_):
        faulthandler.dump_traceback(sys.__stderr__)
        # Benchmarks, which share this file, do without.
        import pytest

        pytest.fail(f"{what} ran for more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
