"""What it costs to keep watch over thousands of models that are loaded on demand.

    MARTLET_FIXTURES=.models/fixtures python Benchmarks/many_models.py .build/release/martlet 5000

Prints how long the start took, and what share of a core a node takes with nothing to do.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SECONDS = 10
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def make_models(folder, count):
    """Models that share their files, as hard links."""
    source = pathlib.Path(os.environ["MARTLET_FIXTURES"]) / "half_plus_two"
    shutil.copytree(source, folder / "m0")
    files = [path for path in (folder / "m0").rglob("*") if path.is_file()]
    for number in range(1, count):
        for file in files:
            copy = folder / f"m{number}" / file.relative_to(folder / "m0")
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, copy)


def await_ready(port_file):
    while True:
        try:
            OPENER.open(f"http://127.0.0.1:{port_file.read_text().strip()}/healthz/ready")
        except (OSError, ValueError):
            time.sleep(0.01)
        else:
            return


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    binary, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make_models(folder / "models", count)
        start = time.monotonic()
        flags = ("--load-on-demand", "--memory-budget=1GiB", "--port=0", "--no-access-log")
        files = (f"--model-root={folder / 'models'}", f"--port-file={folder / 'port'}")
        with subprocess.Popen(
            [binary, "serve", *flags, *files], stderr=subprocess.DEVNULL
        ) as process:
            await_ready(folder / "port")
            print(f"{count} models: ready after {time.monotonic() - start:.2f} s")
            time.sleep(2)
            before = processor_seconds(process)
            time.sleep(SECONDS)
            share = (processor_seconds(process) - before) / SECONDS
            print(f"at rest: {share:.1%} of a core")
            process.terminate()


if __name__ == "__main__":
    main()
