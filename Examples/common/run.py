"""How a demo runs: stopped by signals in good order, and ended by what it promised."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from common.promises import Promises
from common.terminal import heading


def run_demo(run: Callable[[Promises], None]) -> int:
    """Run a demo, and show what it promised; the exit code, 0 if every promise was kept."""
    stop_on_signals()
    began = time.monotonic()
    promises = Promises()
    interrupted = False
    try:
        run(promises)
    except KeyboardInterrupt:
        interrupted = True
        promises.fail("interrupted")
    heading(f"Result, after {time.monotonic() - began:.0f} s")
    promises.show()
    if interrupted:
        return 130
    return 0 if promises.all_good else 1


def stop_on_signals() -> None:
    """Let every polite way to end the demo stop all processes too, once and undisturbed."""
    stops = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in stops:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in stops:
        signal.signal(each, stop)
