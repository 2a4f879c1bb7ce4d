"""Questions by OpenAI's own client, whose answers are shown as they come."""

import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any

import openai
from shop import POLICIES

MODEL = "smollm2"
ANSWER_SECONDS_MAX = 120.0
ANSWER_TOKENS_MAX = 96
INDENT = "  │ "


@dataclass(frozen=True)
class Answer:
    """A streamed answer that came to its end."""

    text: str
    # From the request to the first text, and from that to the last.
    first_seconds: float
    rest_seconds: float
    # Pieces of text, each of which came by itself.
    pieces: int
    finish_reason: str | None
    output_tokens: int
    prompt_tokens: int
    cached_tokens: int

    @property
    def rate(self) -> float:
        """Tokens a second behind the first one."""
        return (self.output_tokens - 1) / self.rest_seconds if self.rest_seconds > 0 else 0.0


class Writer:
    """Writes an answer piece by piece, in lines that are broken between words."""

    def __init__(self) -> None:
        self.width = min(shutil.get_terminal_size().columns, 100) - 1
        self.column = 0

    def write(self, piece: str) -> None:
        """Show what came now."""
        for part in shown(piece).splitlines(keepends=True):
            text = part.rstrip("\n")
            is_full = self.column + len(text) > self.width and text.startswith(" ")
            if self.column == 0 or is_full:
                self.put(("\n" if self.column else "") + INDENT)
                self.column, text = len(INDENT), text.lstrip(" ")
            self.put(text)
            self.column += len(text)
            if part.endswith("\n"):
                self.end()

    def end(self) -> None:
        """End the line, if one was begun."""
        if self.column:
            self.put("\n")
            self.column = 0

    @staticmethod
    def put(text: str) -> None:
        """Write at once: tokens are to be seen as they come."""
        sys.stdout.write(text)
        sys.stdout.flush()


def shown(text: str) -> str:
    """Without what could control a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def client_of(address: str, key: str) -> openai.OpenAI:
    """OpenAI's client, for the gateway. It asks once, and by no proxy: all is on this machine."""
    return openai.OpenAI(
        base_url=f"http://{address}/v1",
        api_key=key,
        max_retries=0,
        timeout=ANSWER_SECONDS_MAX,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def messages(question: str) -> list[Any]:
    """A conversation's beginning: the shop's policies, and a question."""
    return [{"role": "system", "content": POLICIES}, {"role": "user", "content": question}]


def ask(client: openai.OpenAI, question: str) -> Answer:
    """Ask, show the answer as it comes, and say what is known of it at its end."""
    writer, pieces, finish, usage = Writer(), [], None, None
    began = time.monotonic()
    times: list[float] = []
    stream = client.chat.completions.create(
        model=MODEL,
        messages=messages(question),
        stream=True,
        stream_options={"include_usage": True},
        temperature=0,
        max_tokens=ANSWER_TOKENS_MAX,
        # So small a model repeats itself.
        extra_body={"repetition_penalty": 1.1},
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            if choice.delta.content:
                times.append(time.monotonic())
                pieces.append(choice.delta.content)
                writer.write(choice.delta.content)
    writer.end()
    details = usage.prompt_tokens_details if usage else None
    return Answer(
        text="".join(pieces),
        first_seconds=times[0] - began if times else 0.0,
        rest_seconds=times[-1] - times[0] if times else 0.0,
        pieces=len(pieces),
        finish_reason=finish,
        output_tokens=usage.completion_tokens if usage else 0,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        cached_tokens=(details.cached_tokens if details else 0) or 0,
    )


def ask_for_json(client: openai.OpenAI, question: str, schema: dict[str, Any]) -> str:
    """Ask for an answer that keeps to a schema; its text."""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=messages(question),
        temperature=0,
        max_tokens=ANSWER_TOKENS_MAX,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "ticket", "schema": schema, "strict": True},
        },
    )
    return answer.choices[0].message.content or ""
