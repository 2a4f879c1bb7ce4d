#!/usr/bin/env python3
"""Martlet answers a shop's customers with a language model, token by token.

A node serves SmolLM2 behind a gateway with a key. The demo asks a question and shows the answer as
it comes, asks another one of which the node has computed the greater part already, has a complaint
made into a ticket by a JSON schema, kills a customer's client while it is answered, and says at the
end whether everything was as promised.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import openai
import requests
from answers import ANSWER_TOKENS_MAX, MODEL, Answer, ask, ask_for_json, client_of
from common.promises import Promises
from common.run import run_demo
from common.terminal import DIM, coloured, heading, say, table
from service import NODE, Service, ServiceError
from shop import COMPLAINT, FIRST_QUESTION, SECOND_QUESTION, TICKET, TICKET_REQUEST, wrong_in

ROOT = Path(__file__).resolve().parents[2]

# Of the second prompt; the shop's policies are nearly all of it.
CACHED_SHARE_MIN = 0.8
FREED_SECONDS_MAX = 5.0
FIRST_TEXT_SECONDS_MAX = 30.0


def main() -> int:
    """Run the demo; 0 if every promise was kept."""
    arguments = parse_arguments()
    return run_demo(lambda promises: run(arguments, promises))


def parse_arguments() -> argparse.Namespace:
    """The command line, refused with a plain reason if something is missing."""
    parser = argparse.ArgumentParser(
        description="A shop's customers are answered by a language model, token by token."
    )
    parser.add_argument(
        "--martlet",
        type=Path,
        default=Path(os.environ.get("MARTLET_BINARY", ROOT / ".build/release/martlet")),
        help="the martlet executable (default: $MARTLET_BINARY, else %(default)s)",
    )
    models = Path(os.environ.get("MARTLET_LLM_MODELS", ROOT / ".models"))
    parser.add_argument(
        "--model",
        type=Path,
        default=models / "smollm2-135m",
        help="a folder of versions of a chat model in GGUF (default: %(default)s)",
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=ROOT / ".build/customer-service",
        help="where files and logs go; what was there goes (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if not os.access(arguments.martlet, os.X_OK) or arguments.martlet.is_dir():
        parser.error(f"no executable at {arguments.martlet}; `make demo` builds it")
    if not any(arguments.model.glob("*/*.gguf")):
        parser.error(f"no model in {arguments.model}; scripts/setup.sh llm-models makes it")
    folder = arguments.output_dir
    if folder.exists() and any(folder.iterdir()) and not (folder / "credentials.yaml").exists():
        parser.error(f"{folder} holds something else; name another folder")
    return arguments


def environment() -> dict[str, str]:
    """This environment, and where set-up puts the engine, if it does not say."""
    engine = ROOT / ".engines/llama"
    default = {"MARTLET_LLAMA_PATH": str(engine)} if engine.is_dir() else {}
    return {**default, **os.environ}


def run(arguments: argparse.Namespace, promises: Promises) -> None:
    """Tell the story with processes that are stopped at its end, however it ends."""
    folder = arguments.output_dir.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    service = Service(arguments.martlet.resolve(), arguments.model.resolve(), folder, environment())
    try:
        with service:
            tell(service, promises)
    except (ServiceError, openai.OpenAIError, requests.RequestException) as error:
        promises.fail(str(error))
    finally:
        problems = "; ".join(service.stop_problems)
        promises.check(not problems, "all processes stopped cleanly", problems)


def tell(service: Service, promises: Promises) -> None:
    """The demo's story, part by part."""
    heading("1. A language model, and a gateway with a key")
    key = start(service)
    check_keys(service, key, promises)
    client = client_of(service.address, key)
    heading("2. Two customers ask, one after the other")
    first = answer(client, "Ana", FIRST_QUESTION)
    second = answer(client, "Ben", SECOND_QUESTION)
    compare(first, second, promises)
    heading("3. A complaint becomes a ticket")
    make_ticket(client, promises)
    heading("4. A customer's client is killed in the middle of an answer")
    kill_a_client(service, key, promises)
    client.close()
    heading("5. Files")
    for name in ("gateway.yaml", "credentials.yaml", "node.log", "gateway.log"):
        say(f"  {service.folder / name}")


def start(service: Service) -> str:
    """Make a key, and start everything; the key."""
    began = time.monotonic()

    def step(text: str) -> None:
        say(f"  {time.monotonic() - began:4.1f} s  {text}")

    key = service.make_key()
    step(f"martlet key new: a key for the model {MODEL}, of which only a digest is kept")
    service.start_node()
    (weights, *_) = sorted(service.model.glob("*/*.gguf"))
    size = weights.stat().st_size / 1e6
    step(f"martlet serve: {weights.name} ({size:.0f} MB) at {service.addresses[NODE]}")
    service.start_gateway()
    step(f"martlet gateway: OpenAI's API at http://{service.address}/v1")
    return key


def check_keys(service: Service, key: str, promises: Promises) -> None:
    """Ask by no key, a wrong one, and the right one."""
    statuses = [service.status_with(shown) for shown in (None, "mk_wrong", key)]
    promises.check(
        statuses == [401, 401, 200],
        "without a good key 401, with one 200",
        f"without a key, with a wrong and the right one: {statuses}, not 401, 401 and 200",
    )


def answer(client: openai.OpenAI, who: str, question: str) -> Answer:
    """One customer's question, and its answer as it comes."""
    say(f"  {who}: {question}")
    return ask(client, question)


def compare(first: Answer, second: Answer, promises: Promises) -> None:
    """Say how long both took, and judge that they are whole and begin alike in the cache."""
    say()
    table(
        ["", "prompt tokens", "cached", "first token", "tokens", "tokens/s"],
        [
            [
                who,
                str(each.prompt_tokens),
                str(each.cached_tokens),
                f"{each.first_seconds * 1000:.0f} ms",
                str(each.output_tokens),
                f"{each.rate:.0f}",
            ]
            for who, each in (("Ana", first), ("Ben", second))
        ],
        numbers_from=1,
    )
    faults = [fault for each in (first, second) if (fault := fault_of(each))]
    promises.check(
        not faults,
        f"both answers came token by token to their end, in {first.pieces} and "
        f"{second.pieces} pieces",
        f"not every answer was whole: {'; '.join(faults)}",
    )
    share = second.cached_tokens / second.prompt_tokens if second.prompt_tokens else 0.0
    promises.check(
        share >= CACHED_SHARE_MIN,
        f"{second.cached_tokens} of the second prompt's {second.prompt_tokens} tokens were not "
        "computed again",
        f"only {second.cached_tokens} of the second prompt's {second.prompt_tokens} tokens were "
        f"cached, not {CACHED_SHARE_MIN:.0%}",
    )


def fault_of(found: Answer) -> str | None:
    """Why an answer is not whole, if it is not. What it says is the model's affair."""
    if not found.text.strip():
        return "one without text"
    ends = {"stop": found.output_tokens <= ANSWER_TOKENS_MAX}
    ends["length"] = found.output_tokens == ANSWER_TOKENS_MAX
    if not ends.get(found.finish_reason or "", False):
        return f"one of {found.output_tokens} tokens with the finish reason {found.finish_reason}"
    # Characters may span tokens, and the last token may have no text.
    if found.pieces * 2 < found.output_tokens:
        return f"one of {found.output_tokens} tokens in only {found.pieces} pieces"
    return None


def make_ticket(client: openai.OpenAI, promises: Promises) -> None:
    """Have a ticket made that keeps to a schema."""
    say(f"  Carla: {COMPLAINT}")
    text = ask_for_json(client, TICKET_REQUEST + COMPLAINT, TICKET)
    try:
        ticket = json.loads(text)
    except ValueError:
        promises.fail(f"the ticket is no JSON: {text!r}")
        return
    say(f"  {coloured(json.dumps(ticket), DIM)}")
    problem = wrong_in(ticket)
    promises.check(
        problem is None,
        "the ticket is JSON that keeps to its schema",
        f"the ticket does not keep to its schema: {problem}",
    )


def kill_a_client(service: Service, key: str, promises: Promises) -> None:
    """Kill a client whose answer never ends, and watch its sequence go."""
    customer = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("impatient.py"), service.address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OPENAI_API_KEY": key},
    )
    try:
        service.wait(
            NODE, "a sequence to run", lambda: service.running() == 1, FIRST_TEXT_SECONDS_MAX
        )
        line = customer.stdout.readline().strip() if customer.stdout else ""
        running = service.running()
        say(f"  {line or 'nothing'} came; sequences running: {running}")
        say(f"  kill -9 {customer.pid}")
    finally:
        killed = time.monotonic()
        customer.kill()
        customer.wait()
    if line != "first text" or running != 1:
        promises.fail("the customer whose client was to be killed was not answered")
        return
    service.wait(
        NODE,
        "the killed client's sequence to end",
        lambda: service.running() == 0,
        FREED_SECONDS_MAX,
    )
    took = (time.monotonic() - killed) * 1000
    say(f"  sequences running: 0, after {took:.0f} ms")
    promises.check(True, f"the killed client's sequence was gone after {took:.0f} ms", "")


if __name__ == "__main__":
    sys.exit(main())
