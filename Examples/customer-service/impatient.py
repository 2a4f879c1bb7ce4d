"""A customer whose answer never ends, in a process of its own that is to be killed.

    OPENAI_API_KEY=KEY impatient.py ADDRESS

It prints a line when the first text is there, and then reads on.
"""

import os
import sys

from answers import MODEL, client_of, messages
from shop import LONG_WISH


def main() -> None:
    """Ask for more than anybody will wait for."""
    client = client_of(sys.argv[1], os.environ["OPENAI_API_KEY"])
    stream = client.chat.completions.create(
        model=MODEL,
        messages=messages(LONG_WISH),
        stream=True,
        max_tokens=100_000,
        extra_body={"ignore_eos": True},
    )
    said = False
    for chunk in stream:
        if not said and any(choice.delta.content for choice in chunk.choices):
            print("first text", flush=True)
            said = True


if __name__ == "__main__":
    main()
