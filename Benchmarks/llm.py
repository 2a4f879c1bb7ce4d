#!/usr/bin/env python3
"""A language model served by Martlet, beside llama.cpp's own server and the library's raw limit.

    A  1 to 32 clients that stream: prompts of 128 tokens, 64 of them everybody's, 64 tokens out
    B  64 conversations of 4 turns over 8 clients, which have 512 tokens in common
    C  a prompt of 2,000 tokens every 2 s while 8 clients stream

All run on this machine with the same weights and as many threads. The servers are asked in turn,
round by round, so that what disturbs the machine disturbs them alike; one that is not asked is
idle. The run fails unless every answer is whole: so many tokens, ended by its length, token by
token. `--soak` asks Martlet alone, with clients that hang up, and looks at its memory; `--hang-ups`
measures how soon it stops when they do.
`--endpoints` runs load B through the gateway before two nodes, by one balancing algorithm after
the other.
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import options
import outputs
from llm import bench, endpoints, endpoints_table, growth, hang_ups, loads, subjects, table, texts
from llm.subjects import Martlet, Setup, Variant
from measurement import LoadError
from servers import ServerError

LETTERS = ("A", "B", "C")
TITLES = {
    "A": "A: 128-token prompts, 64 of them shared",
    "B": "B: conversations, 512 tokens shared",
    "C": "C: long prompts beside streams",
}


def main() -> int:
    """Measure, print, write."""
    arguments = parse_arguments()
    return options.run(lambda: measure(arguments), (LoadError, ServerError))


def measure(arguments: argparse.Namespace) -> int:
    """The loads, the soak or the two nodes; the exit code."""
    with tempfile.TemporaryDirectory(prefix="martlet-llm.") as folder:
        setup = setup_of(arguments, Path(folder))
        if arguments.endpoints:
            return balance(setup, arguments)
        if arguments.hang_ups:
            return count_hang_ups(setup, arguments)
        return soak(setup, arguments) if arguments.soak else compare(setup, arguments)


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = options.parser_of(__doc__)
    options.add_martlet(parser)
    parser.add_argument(
        "--martlet-flags",
        default="",
        metavar="FLAGS",
        help="of `martlet serve`, as in --martlet-flags='--a=1 --b=2'; the last of a name counts",
    )
    parser.add_argument(
        "--loads", default=",".join(LETTERS), help="which of %(default)s (default: all of them)"
    )
    parser.add_argument(
        "--clients",
        default=",".join(map(str, loads.CLIENTS)),
        metavar="NUMBERS",
        help="of load A, at most 64 (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of each row (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="of all engines (default: %(default)s)"
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="TITLE=FLAGS",
        help="llama-server with these flags as well; may be repeated",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round of each: the tool works, no more"
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=subjects.REPOSITORY,
        metavar="FOLDER",
        help="SmolLM2's folder of versions (default: .models/smollm2-135m)",
    )
    parser.add_argument(
        "--llama-programs",
        type=Path,
        default=subjects.PROGRAMS,
        metavar="FOLDER",
        help="of llama-server and llama-batched-bench (default: .tools/llama.cpp/bin)",
    )
    options.add_outputs(parser)
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--soak", type=float, metavar="SECONDS", help="ask Martlet alone for so long"
    )
    other.add_argument(
        "--hang-ups",
        type=int,
        metavar="N",
        help="how soon Martlet stops when clients hang up, so many times each",
    )
    other.add_argument(
        "--endpoints", action="store_true", help="two nodes behind the gateway, and nothing else"
    )
    parser.add_argument(
        "--prompt-tokens",
        type=int,
        default=hang_ups.PROMPT_TOKENS,
        metavar="N",
        help="with --hang-ups: of the prompt that a client goes from (default: %(default)s)",
    )
    parser.add_argument(
        "--held",
        type=int,
        metavar="N",
        help="with --endpoints: conversations of load B that each node's KV memory has room for "
        f"(default: {endpoints.HELD_SHARE * 100:.0f} %% of them)",
    )
    return checked(parser, parser.parse_args())


def checked(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments, if they make sense here."""
    if arguments.quick:
        arguments.rounds = 1
    arguments.loads = [letter.strip() for letter in arguments.loads.split(",")]
    if not set(arguments.loads) <= set(LETTERS):
        parser.error(f"--loads must be of {', '.join(LETTERS)}")
    try:
        arguments.clients = [int(text) for text in arguments.clients.split(",")]
    except ValueError:
        parser.error("--clients must be numbers with commas between them")
    if not all(1 <= each <= 64 for each in arguments.clients):
        parser.error("--clients must be 1 to 64 each")
    if not 1 <= arguments.rounds <= 100 or not 1 <= arguments.threads <= 512:
        parser.error("--rounds must be 1 to 100, --threads 1 to 512")
    if arguments.soak is not None and not 0 < arguments.soak <= 86_400:
        parser.error("--soak must be more than 0, up to 86400")
    if arguments.hang_ups is not None and not 1 <= arguments.hang_ups <= 100_000:
        parser.error("--hang-ups must be 1 to 100000")
    if not 1 <= arguments.prompt_tokens <= hang_ups.PROMPT_TOKENS_MAX:
        parser.error(f"--prompt-tokens must be 1 to {hang_ups.PROMPT_TOKENS_MAX}")
    # A node holds no more sequences than that.
    if arguments.held is not None and not 1 <= arguments.held <= 64:
        parser.error("--held must be 1 to 64")
    if any("=" not in text for text in arguments.variant):
        parser.error("--variant must be TITLE=FLAGS")
    programs = [arguments.martlet]
    if not arguments.endpoints and not arguments.hang_ups:
        names = ("llama-server", "llama-batched-bench")
        programs += [arguments.llama_programs / name for name in names]
    for program in programs:
        options.check_program(parser, program, "bench-llm")
    options.check_document(parser, arguments)
    return arguments


def setup_of(arguments: argparse.Namespace, folder: Path) -> Setup:
    """What all servers have in common."""
    return Setup(
        martlet=arguments.martlet.resolve(),
        martlet_flags=tuple(shlex.split(arguments.martlet_flags)),
        repository=arguments.model.resolve(),
        programs=arguments.llama_programs.resolve(),
        threads=arguments.threads,
        folder=folder,
    )


def compare(setup: Setup, arguments: argparse.Namespace) -> int:
    """Measure the loads one after the other, and report."""
    found = table.Report(
        machine=machine.describe_machine(),
        versions=setup.versions(),
        settings=setup.settings(),
        rounds=arguments.rounds,
    )
    variants = [*subjects.VARIANTS, *map(Variant.parsed, arguments.variant)]
    for letter in dict.fromkeys(arguments.loads):
        section = table.Section(TITLES[letter])
        found.sections.append(section)
        chosen = loads.of(letter, quick=arguments.quick, clients=arguments.clients)
        context = max(load.context_tokens for load in chosen)
        held = max(load.held for load in chosen)
        with Martlet(setup, context, held, f"martlet-{letter}") as ours:
            texts.check(ours.name, ours.address, subjects.MODEL)
            for load in chosen:
                group = table.Group(load.title)
                section.groups.append(group)
                suited = [variant for variant in variants if variant.suits(load)]
                with bench.started(setup, load, suited, ours, group) as rows:
                    bench.measure(setup, load, rows, group, arguments.rounds)
    write(arguments, found.as_markdown(), found.as_json(), table.MARKERS)
    return 0


def balance(setup: Setup, arguments: argparse.Namespace) -> int:
    """Measure load B through the gateway, and report."""
    load = loads.conversations(quick=arguments.quick, shuffled=True)
    held = arguments.held or round(load.held * endpoints.HELD_SHARE)
    rows = [endpoints_table.Row(algorithm) for algorithm in endpoints.ALGORITHMS]
    for number in range(arguments.rounds):
        first = number % len(rows)
        for row in rows[first:] + rows[:first]:
            found = endpoints.measure(setup, load, held, row.algorithm, number, arguments.rounds)
            row.rounds.append(found)
    whole = endpoints_table.Report(
        machine=machine.describe_machine(),
        settings=endpoints.settings(setup, load, held),
        common_tokens=load.prefix_tokens,
        rows=rows,
    )
    write(arguments, whole.as_markdown(), whole.as_json(), endpoints_table.MARKERS)
    return 0


def soak(setup: Setup, arguments: argparse.Namespace) -> int:
    """Ask Martlet alone; 1 if its memory grows."""
    windows = growth.measure(setup, arguments.soak)
    write(
        arguments,
        growth.as_markdown(windows, machine.describe_machine()),
        growth.as_json(windows),
    )
    if growth.growth_bytes(windows) > growth.GROWTH_BYTES_MAX:
        print(f"the memory grew by more than {growth.GROWTH_BYTES_MAX >> 20} MiB", file=sys.stderr)
        return 1
    return 0


def count_hang_ups(setup: Setup, arguments: argparse.Namespace) -> int:
    """Measure how soon sequences end that nobody waits for, and report."""
    rows = hang_ups.measure(setup, arguments.hang_ups, arguments.prompt_tokens)
    write(
        arguments,
        hang_ups.as_markdown(rows, machine.describe_machine()),
        hang_ups.as_json(rows),
    )
    return 0


def write(
    arguments: argparse.Namespace, text: str, figures: Any, markers: tuple[str, str] | None = None
) -> None:
    """Print a report, and write it where it was asked for."""
    print(text, end="")
    outputs.write(arguments, text, figures, markers, indent=2)


if __name__ == "__main__":
    sys.exit(main())
