"""Load generators as processes: what they print, and the processor time they use."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurement import LoadError
from servers import bound_to_us


def run_to_end(
    command: Sequence[str | Path], title: str, environment: Mapping[str, str] | None = None
) -> tuple[str, float]:
    """Run a load generator on a target to its end: its output and its processor seconds."""
    with subprocess.Popen(
        [*bound_to_us(), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            output = process.stdout.read() if process.stdout else ""
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise LoadError(f"the load generator failed on {title}:\n{output}")
    return output, used.ru_utime + used.ru_stime
