"""Adaptive batches beside fixed parameters: simulated, and on a real node.

    python Benchmarks/batching.py [--quick] [--simulated-only | --real-only] [--model DIR]

Prints Markdown tables and draws docs/images/batching.svg. What is simulated runs in the unit tests'
simulation (`swift test`); what is real is a node of MARTLET_BINARY under h2load, which asks at a
fixed rate whatever the answers. Each figure is the highest rate at which 99 of 100 requests are
answered within the target: refused and late ones count against it.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

import simulation
from simulation import REPOSITORY

IMAGE = REPOSITORY / "docs" / "images" / "batching.svg"
TARGET_MS = 50.0
SHARE_IN_TIME = 0.99
CONNECTIONS = 4
MODEL = "model"


@dataclass(frozen=True)
class Row:
    """One way of batching, and the rate that it reaches."""

    model: str
    threads: int
    rows: int | None
    # As the simulation writes it, and the next.
    timeoutMilliseconds: float | None
    requestsPerSecond: float

    @property
    def title(self) -> str:
        """What it is."""
        if self.rows is None:
            return "adaptive"
        return f"{self.rows} rows, {self.timeoutMilliseconds:g} ms"


# MARK: Simulated


def simulated(requests: int) -> list[Row]:
    """Run the simulation with trials of so many requests, and read what it wrote."""
    rows = simulation.run(
        "wholeComparison_isWrittenDown",
        "MARTLET_BATCHING_TABLE",
        {"MARTLET_BATCHING_REQUESTS": str(requests)},
    )
    return [
        Row(
            row["model"],
            row["threads"],
            row.get("rows"),
            row.get("timeoutMilliseconds"),
            row["requestsPerSecond"],
        )
        for row in rows
    ]


# MARK: Real


class Node:
    """A node with one model, as a scope."""

    def __init__(self, binary: Path, model: Path, flags: list[str], folder: Path) -> None:
        self.port_file = folder / "port"
        self.port_file.unlink(missing_ok=True)
        self.command = [
            *(str(binary), "serve", f"--model={MODEL}={model}", "--port=0"),
            *(f"--port-file={self.port_file}", "--no-access-log", "--queue-capacity=100000"),
            *("--max-concurrent-streams=100000", *flags),
        ]
        self.log = folder / "node.log"

    def __enter__(self) -> "Node":
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz/ready", timeout=5):
                    return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise SystemExit(f"the node did not start:\n{self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    @property
    def url(self) -> str:
        """Where it listens."""
        port = self.port_file.read_text().strip() if self.port_file.exists() else "1"
        return f"http://127.0.0.1:{port}"


def open_loop(node: Node, body: Path, rate: float, seconds: float, log: Path) -> list[float]:
    """Ask at a rate; the milliseconds of each request, infinite where it was not answered."""
    log.unlink(missing_ok=True)
    count = max(CONNECTIONS, int(rate * seconds))
    result = subprocess.run(
        [
            *("h2load", "-c", str(CONNECTIONS), "-m", "10000", "-n", str(count)),
            *(f"--rps={rate / CONNECTIONS}", "-d", str(body), f"--log-file={log}"),
            *("-H", "content-type: application/json"),
            f"{node.url}/v1/models/{MODEL}:predict",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds * 10 + 60,
    )
    if result.returncode != 0:
        raise SystemExit(f"h2load failed:\n{result.stdout}{result.stderr}")
    lines = [line.split() for line in log.read_text().splitlines()]
    answered = [int(took) / 1000 for _, status, took in lines if status == "200"]
    # The first second is the model's, to become warm and known.
    return answered + [float("inf")] * (count - len(answered))


def keeps(latencies: list[float]) -> bool:
    """Whether so many requests were answered in time."""
    in_time = sum(1 for latency in latencies if latency <= TARGET_MS)
    return in_time >= SHARE_IN_TIME * len(latencies)


def highest(node: Node, body: Path, most: float, steps: int, seconds: float, log: Path) -> float:
    """The highest rate that keeps the target, to within a few percent."""
    open_loop(node, body, most / 20, seconds, log)
    low, high = 0.0, most
    for _ in range(steps):
        middle = (low + high) / 2
        if keeps(open_loop(node, body, middle, seconds, log)):
            low = middle
        else:
            high = middle
        time.sleep(0.2)
    return low


def real(binary: Path, model: Path, instance: str, options: argparse.Namespace) -> list[Row]:
    """What each way of batching reaches on this machine."""
    seconds, steps = (1.0, 3) if options.quick else (5.0, 8)
    grid = [(1, 0), (32, 0)] if options.quick else GRID
    threads = os.cpu_count() or 1
    served = f"{model.name}, a real node"
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        body = folder / "body.json"
        body.write_text(f'{{"instances": [{instance}]}}')

        def measure(flags: list[str]) -> float:
            with Node(binary, model, flags, folder) as node:
                return highest(
                    node, body, options.rate_max, steps, seconds, folder / "requests.tsv"
                )

        rate = measure([f"--target-latency-ms-p99={TARGET_MS:g}"])
        found.append(Row(served, threads, None, None, rate))
        for rows, timeout in grid:
            parameters = folder / "batching.config"
            parameters.write_text(
                f"max_batch_size {{ value: {rows} }}"
                f" batch_timeout_micros {{ value: {timeout * 1000} }}"
                " max_enqueued_batches { value: 100000 }"
            )
            rate = measure([f"--batching-parameters-file={parameters}"])
            found.append(Row(served, threads, rows, float(timeout), rate))
    return found


GRID = [(rows, timeout) for rows in (1, 8, 32, 128, 512) for timeout in (0, 2, 10)]


# MARK: Report


def groups(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """The rows of each model and number of threads."""
    keys = dict.fromkeys((row.model, row.threads) for row in rows)
    return [
        (
            f"{model}, {threads} thread{'s' if threads > 1 else ''}",
            [row for row in rows if (row.model, row.threads) == (model, threads)],
        )
        for model, threads in keys
    ]


def markdown(rows: list[Row]) -> str:
    """A line for each model: adaptive, the best fixed parameters, and how bad others are."""
    lines = [
        "| model | adaptive | best fixed | | adaptive / best | median of fixed | worst fixed |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    for title, group in groups(rows):
        adaptive = next(row for row in group if row.rows is None).requestsPerSecond
        fixed = sorted(
            (row for row in group if row.rows is not None), key=lambda row: row.requestsPerSecond
        )
        best, worst, median = fixed[-1], fixed[0], fixed[len(fixed) // 2]
        ratio = adaptive / best.requestsPerSecond if best.requestsPerSecond else 1
        lines.append(
            f"| {title} | {adaptive:,.0f}/s | {best.requestsPerSecond:,.0f}/s | {best.title} "
            f"| {ratio:.0%} | {median.requestsPerSecond:,.0f}/s "
            f"| {worst.requestsPerSecond:,.0f}/s |"
        )
    return "\n".join(lines)


def svg(rows: list[Row]) -> str:
    """A strip for each model: a dot for each of the fixed parameters, a bar for adaptive ones."""
    width, left, strip, top = 760, 190, 44, 56
    sections = groups(rows)
    height = top + strip * len(sections) + 40

    def x(share: float) -> float:
        return left + share / 1.1 * (width - left - 30)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="22" font-weight="bold">Requests a second at a p99 of '
        f"{TARGET_MS:g} ms, as a share of the best fixed parameters'</text>",
        f'<circle cx="{left + 6}" cy="38" r="4" fill="#8a94a6"/>'
        f'<text x="{left + 16}" y="42">fixed parameters, one dot each</text>'
        f'<rect x="{left + 226}" y="30" width="4" height="16" fill="#d4572a"/>'
        f'<text x="{left + 238}" y="42">adaptive, untuned</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line x1="{x(share):.1f}" x2="{x(share):.1f}" y1="{top}" y2="{height - 30}" '
            'stroke="#dfe3ea"/>'
            f'<text x="{x(share):.1f}" y="{height - 12}" text-anchor="middle">{share:.0%}</text>'
        )
    for index, (title, group) in enumerate(sections):
        y = top + strip * index + strip / 2
        best = max((row.requestsPerSecond for row in group if row.rows), default=0) or 1
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{title}</text>')
        for row in group:
            place = x(min(1.1, row.requestsPerSecond / best))
            if row.rows is None:
                parts.append(
                    f'<rect x="{place - 2:.1f}" y="{y - 12}" width="4" height="24" '
                    f'fill="#d4572a"><title>{row.title}: {row.requestsPerSecond:,.0f}/s</title>'
                    "</rect>"
                )
            else:
                parts.append(
                    f'<circle cx="{place:.1f}" cy="{y}" r="4" fill="#8a94a6" '
                    f'fill-opacity="0.6"><title>{row.title}: {row.requestsPerSecond:,.0f}/s'
                    "</title></circle>"
                )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short, to see that it works")
    parser.add_argument("--simulated-only", action="store_true")
    parser.add_argument("--real-only", action="store_true")
    parser.add_argument("--model", type=Path, default=REPOSITORY / ".models/bench/tabular")
    parser.add_argument("--instance", default=None, help="one row of the model, as JSON")
    parser.add_argument("--rate-max", type=float, default=20_000.0)
    parser.add_argument("--json", type=Path, help="also write the rows there")
    parser.add_argument("--image", type=Path, default=IMAGE)
    options = parser.parse_args()
    rows: list[Row] = []
    if not options.real_only:
        found = simulated(1500 if options.quick else 4000)
        print(f"Simulated, target {TARGET_MS:g} ms:\n\n{markdown(found)}\n")
        rows += found
    if not options.simulated_only:
        binary = Path(os.environ.get("MARTLET_BINARY", REPOSITORY / ".build/release/martlet"))
        instance = options.instance or instance_of(options.model)
        found = real(binary, options.model, instance, options)
        print(f"Measured, target {TARGET_MS:g} ms:\n\n{markdown(found)}\n")
        rows += found
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    options.image.write_text(svg(rows))


def instance_of(model: Path) -> str:
    """A row of zeros for the model's only input, by its metadata."""
    with tempfile.TemporaryDirectory() as name:
        binary = Path(os.environ.get("MARTLET_BINARY", REPOSITORY / ".build/release/martlet"))
        with (
            Node(binary, model, [], Path(name)) as node,
            urllib.request.urlopen(f"{node.url}/v1/models/{MODEL}/metadata") as answer,
        ):
            signatures = json.load(answer)["metadata"]["signature_def"]["signature_def"]
    inputs = signatures["serving_default"]["inputs"]
    rows = {name: zeros(info) for name, info in inputs.items()}
    return json.dumps(rows if len(rows) > 1 else next(iter(rows.values())))


def zeros(info: dict) -> object:
    """A row of zeros of a tensor, dimensions of any size being 1."""
    sizes = [max(1, int(size["size"])) for size in info["tensor_shape"]["dim"]][1:]
    value: object = "" if info["dtype"] == "DT_STRING" else 0
    for size in reversed(sizes):
        value = [value] * size
    return value


if __name__ == "__main__":
    main()
