"""Generates text for a node of Martlet by OpenVINO GenAI's continuous batching.

The node starts it with a Unix socket as standard input, and speaks JSON by it, one message a line:

    node:    {"submit": {"id": 7, "prompt": [1, 2], "tokens": 16, "ends": [2], ...}}
             {"cancel": 7}
    worker:  {"ready": {"protocol": 1, "version": "2026.4.1.0"}}
             {"step": [[7, [504], [-0.38], "length"]], "cache": 0.04}
             {"refused": [7, "why"]}
             {"failed": [7, "why"]}
             {"fatal": "why"}

A step tells of each sequence its new tokens, their log-probabilities where they were asked for, and
why it ended, or null. What the engine makes of one sequence and nobody can tell, such as numbers
that are none, fails that one alone. The worker ends when the node closes the socket, and by any
error of a step: the engine goes on with nothing after one.
"""

import argparse
import ctypes
import json
import math
import os
import queue
import signal
import socket
import sys
import threading

PR_SET_PDEATHSIG = 1
if __name__ == "__main__":
    # It ends with the thread that started it: while the engine loads, nobody hears a socket close.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

import numpy  # noqa: E402
import openvino  # noqa: E402
import openvino_genai as genai  # noqa: E402

PROTOCOL = 1

# No message of the node's is longer: the longest prompts are a few million tokens.
LINE_BYTES_MAX = 64 << 20

# What a token is said to be that the engine holds for impossible: JSON has no infinity.
LOGPROB_MIN = -1e9

FINISH_REASONS = {
    genai.GenerationFinishReason.STOP: "stop",
    genai.GenerationFinishReason.LENGTH: "length",
}


class Channel:
    """Messages to and from the node."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, message):
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        self.connection.sendall(text.encode() + b"\n")

    def receive_all(self, commands):
        """Queues what the node says; ends the process, whatever it does, when the node is gone."""
        # By an error too, such as that of a socket whose other end was killed.
        try:
            with self.connection.makefile("rb") as lines:
                while (line := lines.readline(LINE_BYTES_MAX)).endswith(b"\n"):
                    commands.put(json.loads(line))
        finally:
            os._exit(0)


class Sequence:
    """A request that the engine has."""

    def __init__(self, handle, tells_logprobs):
        self.handle = handle
        self.tells_logprobs = tells_logprobs
        self.is_over = False

    def read(self):
        """New tokens, their log-probabilities, and why it ended, or None."""
        tokens, logprobs, reason = [], [], None
        while self.handle.can_read():
            for output in self.handle.read().values():
                tokens += output.generated_ids
                if self.tells_logprobs:
                    logprobs += [finite(value) for value in output.generated_log_probs]
                reason = FINISH_REASONS.get(output.finish_reason)
        status = self.handle.get_status()
        self.is_over = status != genai.GenerationStatus.RUNNING
        if status == genai.GenerationStatus.IGNORED:
            reason = "full"
        elif self.is_over:
            reason = reason or "stop"
        return tokens, logprobs, reason


def finite(logprob):
    """A log-probability as a number that JSON has."""
    if math.isnan(logprob) or logprob == math.inf:
        raise ValueError(f"a token has the log-probability {logprob}")
    return max(logprob, LOGPROB_MIN)


class Generator:
    """The engine, and the requests that it has."""

    def __init__(self, pipeline, channel):
        self.pipeline = pipeline
        self.channel = channel
        self.sequences = {}

    def run(self, commands):
        while True:
            self.take(commands)
            if self.sequences:
                self.pipeline.step()
                self.tell()

    def take(self, commands):
        """Does what the node has said; waits for it where there is nothing else to do."""
        while True:
            try:
                command = commands.get(block=not self.sequences)
            except queue.Empty:
                return
            if "submit" in command:
                self.submit(command["submit"])
            elif "cancel" in command:
                self.drop(command["cancel"])

    def submit(self, request):
        number = request["id"]
        try:
            prompt = openvino.Tensor(numpy.array([request["prompt"]], dtype=numpy.int64))
            settings = config(request)
            settings.validate()
            handle = self.pipeline.add_request(number, prompt, settings)
        except Exception as error:
            self.channel.send({"refused": [number, reason_of(error)]})
        else:
            self.sequences[number] = Sequence(handle, request["logprobs"])

    def drop(self, number):
        """Lets go of a request, if there is such a one."""
        if sequence := self.sequences.pop(number, None):
            sequence.handle.cancel()
            # The engine lets go of it in a step.
            if not self.sequences and self.pipeline.has_non_finished_requests():
                self.pipeline.step()

    def tell(self):
        """Says what a step has made."""
        results, failures = [], []
        for number, sequence in list(self.sequences.items()):
            try:
                tokens, logprobs, reason = sequence.read()
            except Exception as error:
                failures.append((number, reason_of(error)))
                continue
            if tokens or reason:
                results.append([number, tokens, logprobs, reason])
            if sequence.is_over:
                del self.sequences[number]
        for number, reason in failures:
            self.channel.send({"failed": [number, reason]})
            self.drop(number)
        usage = self.pipeline.get_metrics().cache_usage / 100
        # It is for people to read, and no reason to end.
        cache = usage if math.isfinite(usage) else 0
        self.channel.send({"step": results, "cache": cache})


def config(request):
    """What a request asks for, in the engine's form."""
    config = genai.GenerationConfig()
    config.max_new_tokens = request["tokens"]
    config.ignore_eos = request["ignoresEnds"]
    config.stop_token_ids = set(request["ends"])
    config.logprobs = 1 if request["logprobs"] else 0
    config.repetition_penalty = request["repetitionPenalty"]
    config.frequency_penalty = request["frequencyPenalty"]
    config.presence_penalty = request["presencePenalty"]
    config.do_sample = request["temperature"] > 0
    if config.do_sample:
        config.temperature = request["temperature"]
        config.top_p = request["topP"]
        config.min_p = request["minP"]
        if request["topK"] > 0:
            config.top_k = request["topK"]
        config.rng_seed = request["seed"]
    return config


def reason_of(error):
    """The engine's message without the place in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:1000]


def load(arguments):
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = arguments.blocks
    scheduler.max_num_seqs = arguments.sequences
    scheduler.max_num_batched_tokens = arguments.step_tokens
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = arguments.prefix_cache
    properties = {
        "INFERENCE_NUM_THREADS": arguments.threads,
        # A file that is mapped ends the process when somebody cuts it short.
        "ENABLE_MMAP": False,
        # In 8 bits, which is the default, what comes from the cache differs from what was computed.
        "KV_CACHE_PRECISION": openvino.Type.f16,
    }
    return genai.ContinuousBatchingPipeline(arguments.model, scheduler, "CPU", properties)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument("--blocks", type=int, required=True, help="blocks of KV memory")
    parser.add_argument("--sequences", type=int, required=True)
    parser.add_argument("--step-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prefix-cache", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse()
    channel = Channel(socket.socket(fileno=sys.stdin.fileno()))
    commands = queue.SimpleQueue()
    # Before the model is loaded, which takes long: the node may go away meanwhile.
    threading.Thread(target=channel.receive_all, args=(commands,), daemon=True).start()
    try:
        generator = Generator(load(arguments), channel)
        channel.send({"ready": {"protocol": PROTOCOL, "version": genai.__version__}})
        generator.run(commands)
    # The node is gone.
    except ConnectionError:
        pass
    except Exception as error:
        channel.send({"fatal": reason_of(error)})
        raise
    # Without the engine's destructors, which wait for nothing of use.
    finally:
        sys.stderr.flush()


if __name__ == "__main__":
    main()
