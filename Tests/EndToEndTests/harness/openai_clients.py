"""The stock `openai` client, and the requests that tests make by it."""

import json

import openai

from harness.language_models import NAME

SECONDS = 100

# A prompt that the model goes on with for long.
STORY = "Once upon a time there was a bird that wanted to see the sea. One day it"


def client_of(address, key="none"):
    """Never tries again by itself: tests are to see each answer."""
    return openai.OpenAI(
        base_url=f"http://{address}/v1",
        api_key=key,
        max_retries=0,
        timeout=SECONDS,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def user(text):
    return {"role": "user", "content": text}


def chat(client, text, **options):
    """A chat of one message, greedy and short unless told otherwise."""
    options = {"model": NAME, "messages": [user(text)], **greedy(options)}
    return client.chat.completions.create(**options)


def complete(client, prompt, **options):
    """A legacy completion, greedy and short unless told otherwise."""
    return client.completions.create(model=NAME, prompt=prompt, **greedy(options))


def greedy(options):
    return {"temperature": 0, "max_tokens": 16, **options}


def text_of(answer):
    """The text of a whole answer's only choice."""
    (choice,) = answer.choices
    return choice.text if hasattr(choice, "text") else choice.message.content


def streamed_text(stream):
    """The text of a stream's only choice."""
    pieces = []
    for chunk in stream:
        for choice in chunk.choices:
            piece = choice.text if hasattr(choice, "text") else choice.delta.content
            pieces.append(piece or "")
    return "".join(pieces)


def tokens_of(node, text, **options):
    """The numbers of a text's tokens."""
    answer = node.rest.post("/tokenize", {"content": text, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["tokens"]


def function(name, **properties):
    """A tool whose arguments are all required."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    description = f"Does {name.replace('_', ' ')}"
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


def schema_format(schema):
    """A `response_format` of a schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def events(body):
    """The data of server-sent events: JSON, but for the last."""
    *frames, rest = body.decode("utf-8").split("\n\n")
    assert rest == "", f"the stream ends within an event: {rest!r}"
    assert all(frame.startswith("data: ") for frame in frames), frames
    data = [frame.removeprefix("data: ") for frame in frames]
    return [piece if piece == "[DONE]" else json.loads(piece) for piece in data]


def assert_openai_error(response, status, code):
    """The status, and an error of OpenAI's shape with this code; returns its message."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    assert body["error"]["code"] == code, body
    assert body["error"]["type"]
    return body["error"]["message"]
