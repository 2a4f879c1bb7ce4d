#!/usr/bin/env python3
"""Martlet's demo: a cluster transcribes music, loses a node under load, and fails nobody.

Two nodes serve a real music transcription model behind a gateway. The demo plays a known chord
progression, asks the cluster by REST and by gRPC which notes it hears, kills a node while clients
keep asking, and says at the end whether everything was as promised.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import music
import notes
import picture
from clients import (
    Answer,
    Client,
    GrpcClient,
    ModelInterface,
    Outputs,
    RequestFailedError,
    RestClient,
    read_interface,
)
from cluster import Cluster, ClusterError
from common.promises import Promises
from common.run import run_demo
from common.terminal import heading, say, table
from load import DIFFERENCE_MAX, Load, Sample, difference
from outage import Outage, kill_and_watch
from report import show_phases, show_transcription
from windows import SAMPLE_RATE, FloatArray, Windowing

ROOT = Path(__file__).resolve().parents[2]
MODEL = "basic-pitch"

# Measured: recall 1.00 and precision 0.91. One note of twenty may be lost, three be invented.
RECALL_MIN = 0.95
PRECISION_MIN = 0.85

LATENCY_REPEATS = 5


@dataclass(frozen=True)
class Clip:
    """The audio, cut into windows, and the notes that are in it."""

    notes: list[music.Note]
    windowing: Windowing
    batch: FloatArray


def main() -> int:
    """Run the demo; 0 if every promise was kept."""
    arguments = parse_arguments()
    return run_demo(lambda promises: run(arguments, promises))


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = argparse.ArgumentParser(
        description="A cluster transcribes music and loses a node under load."
    )
    parser.add_argument(
        "--martlet",
        type=Path,
        default=Path(os.environ.get("MARTLET_BINARY", ROOT / ".build/release/martlet")),
        help="the martlet executable (default: $MARTLET_BINARY, else %(default)s)",
    )
    parser.add_argument(
        "--model-dir",
        type=Path,
        default=ROOT / ".models/basic-pitch",
        help="folder with the model's version folders (default: %(default)s)",
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=ROOT / ".build/transcription",
        help="where the picture, the clip and the log go (default: %(default)s)",
    )
    parser.add_argument(
        "--duration",
        type=float,
        default=12.0,
        metavar="SECONDS",
        help="how long the load lasts, besides the outage (default: %(default)g)",
    )
    arguments = parser.parse_args()
    if not os.access(arguments.martlet, os.X_OK) or arguments.martlet.is_dir():
        parser.error(f"no executable at {arguments.martlet}; `make demo` builds it")
    if not list(arguments.model_dir.glob("*/saved_model.pb")):
        parser.error(f"no SavedModel under {arguments.model_dir}; `make demo` fetches it")
    if arguments.duration <= 0:
        parser.error("--duration must be above 0")
    return arguments


def run(arguments: argparse.Namespace, promises: Promises) -> None:
    """Tell the story with a cluster that is stopped at its end, however it ends."""
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    martlet, folder = arguments.martlet.resolve(), arguments.output_dir.resolve()
    cluster = Cluster(martlet, MODEL, arguments.model_dir, folder, environment())
    try:
        with cluster:
            tell(cluster, folder, arguments.duration, promises)
    except (ClusterError, RequestFailedError) as error:
        promises.fail(str(error))
    finally:
        problem = cluster.stop_problem
        promises.check(problem is None, "the cluster stopped cleanly", problem or "")


def environment() -> dict[str, str]:
    """The cluster's environment: this one, and where set-up puts TensorFlow, if not said."""
    libraries = ROOT / ".engines/tensorflow"
    default = {"MARTLET_TENSORFLOW_PATH": str(libraries)} if libraries.is_dir() else {}
    return {**default, **os.environ}


def tell(cluster: Cluster, folder: Path, duration: float, promises: Promises) -> None:
    """The demo's story, part by part."""
    heading("1. A cluster of two nodes behind a gateway")
    interface = start(cluster)
    gateway = cluster.gateway
    connect: list[Callable[[], Client]] = [
        lambda: RestClient(gateway, MODEL),
        lambda: GrpcClient(gateway, MODEL, interface.input_name),
    ]
    heading("2. A clip whose notes are known")
    clip = play(interface, folder)
    heading("3. The same question by REST and by gRPC")
    outputs = ask_both_ways(connect, clip.batch, promises)
    say()
    comparison = transcribe(clip, outputs, promises)
    heading("4. A node killed under load")
    samples, outage = survive(cluster, connect * 2, clip.batch, outputs, duration)
    judge(samples, outage, promises)
    heading("5. Files")
    drawing = folder / "transcription.svg"
    drawing.write_text(picture.draw(comparison, samples, outage), encoding="utf-8")
    for path in (drawing, folder / "clip.wav", cluster.configuration, cluster.log):
        say(f"  {path}")


def start(cluster: Cluster) -> ModelInterface:
    """Wait for the cluster, and ask it what the model takes and gives."""
    began = time.monotonic()
    say(f"  martlet up -c {cluster.configuration}")
    cluster.wait_until_ready(lambda what: show_step(time.monotonic() - began, what))
    interface = read_interface(cluster.gateway, MODEL)
    say(f"  gateway: {cluster.gateway}, REST and gRPC")
    say(f"  {MODEL} takes {interface.input_name} {shown(interface.input_shape)}")
    for name, shape in sorted(interface.output_shapes.items()):
        say(f"  {MODEL} gives {name} {shown(shape)}")
    return interface


def show_step(seconds: float, what: str) -> None:
    """Print something as it happens."""
    say(f"  {seconds:5.1f} s  {what}")


def shown(shape: tuple[int, ...]) -> str:
    """A shape in brackets, `?` where any size will do."""
    return f"[{', '.join('?' if size < 0 else str(size) for size in shape)}]"


def play(interface: ModelInterface, folder: Path) -> Clip:
    """Synthesise the progression and cut it into the model's windows."""
    true = music.score()
    audio = music.synthesise(true, SAMPLE_RATE)
    music.write_wave(folder / "clip.wav", audio, SAMPLE_RATE)
    windowing = Windowing(interface.input_shape[1], interface.output_shapes["onset"][1])
    batch = windowing.cut(audio)
    chords = " → ".join(chord.name for chord in music.PROGRESSION)
    say(f"  {chords}: {len(true)} notes in {len(audio) / SAMPLE_RATE:.1f} s")
    say(f"  cut into {len(batch)} windows of {windowing.window_samples} samples")
    return Clip(true, windowing, batch)


def ask_both_ways(
    connect: list[Callable[[], Client]], batch: FloatArray, promises: Promises
) -> Outputs:
    """The model's outputs for the clip, asked for by each API; they must be the same."""
    rows: list[list[str]] = []
    answers: list[Outputs] = []
    for make in connect:
        client = make()
        answer, whole_ms = timed(client, batch)
        _, one_ms = timed(client, batch[:1])
        answers.append(client.decode(answer))
        sizes = [f"{size / 1e6:.1f} MB" for size in (answer.sent_bytes, answer.received_bytes)]
        rows.append([client.api, f"{whole_ms:.0f} ms", f"{one_ms:.0f} ms", *sizes])
        client.close()
    header = ["", f"{len(batch)} windows", "1 window", "sent", "received"]
    table(header, rows, numbers_from=1)
    apart = difference(*answers)
    values = sum(array.size for array in answers[0].values())
    agreement = f"largest difference {apart:.1e} among {values:,} values"
    say(f"  {agreement}")
    promises.check(
        apart <= DIFFERENCE_MAX,
        f"REST and gRPC agree: {agreement}",
        f"REST and gRPC disagree: {agreement}, more than {DIFFERENCE_MAX:.0e}",
    )
    return answers[-1]


def timed(client: Client, batch: FloatArray) -> tuple[Answer, float]:
    """An answer and the median wait for it, in milliseconds; the first one warms up."""
    request = client.encode(batch)
    answer = client.send(request)
    waits: list[float] = []
    for _ in range(LATENCY_REPEATS):
        began = time.monotonic()
        answer = client.send(request)
        waits.append((time.monotonic() - began) * 1000)
    return answer, statistics.median(waits)


def transcribe(clip: Clip, outputs: Outputs, promises: Promises) -> notes.Comparison:
    """Decode the notes, and show them beside the true ones."""
    join = clip.windowing.join
    times = clip.windowing.frame_times(len(clip.batch))
    recognised = notes.decode(join(outputs["onset"]), join(outputs["note"]), times)
    comparison = notes.compare(clip.notes, recognised)
    show_transcription(comparison)
    recall, precision = comparison.recall, comparison.precision
    judged = f"recall {recall:.2f}, precision {precision:.2f}"
    say(f"  {judged}")
    promises.check(
        recall >= RECALL_MIN and precision >= PRECISION_MIN,
        f"{len(comparison.found)} of {len(clip.notes)} notes recognised: {judged}",
        f"too few notes recognised: {judged}; at least {RECALL_MIN} and {PRECISION_MIN} expected",
    )
    return comparison


def survive(
    cluster: Cluster,
    connect: list[Callable[[], Client]],
    batch: FloatArray,
    expected: Outputs,
    duration: float,
) -> tuple[list[Sample], Outage]:
    """Keep asking while a node is killed and comes back; show what the clients saw."""
    say(f"  {len(connect)} clients send one window after another, half by REST, half by gRPC")
    retries = cluster.retries()
    counts = [cluster.requests_by_node()]
    with Load(connect, batch, expected) as load:
        time.sleep(duration / 2)
        counts.append(cluster.requests_by_node())
        outage = kill_and_watch(cluster, load, cluster.nodes()[-1], show_step)
        counts.append(cluster.requests_by_node())
        time.sleep(duration / 2)
    counts.append(cluster.requests_by_node())
    say()
    show_phases(load.samples, outage, counts)
    say(f"  requests that the gateway sent a second time: {cluster.retries() - retries}")
    return load.samples, outage


def judge(samples: list[Sample], outage: Outage, promises: Promises) -> None:
    """No request may have failed, and the node must be back."""
    problems = [sample.problem for sample in samples if sample.problem is not None]
    reasons = "".join(f"\n    {reason}" for reason in sorted(set(problems))[:3])
    promises.check(
        bool(samples) and not problems,
        f"none of {len(samples)} requests failed, and every answer was right",
        f"{len(problems)} of {len(samples)} requests failed:{reasons}",
    )
    name, back = outage.victim.name, outage.healthy_seconds
    took = f"{back - outage.killed_seconds:.1f} s" if back is not None else ""
    promises.check(
        back is not None,
        f"{name} served again {took} after kill -9",
        f"{name} did not come back after kill -9",
    )


if __name__ == "__main__":
    sys.exit(main())
