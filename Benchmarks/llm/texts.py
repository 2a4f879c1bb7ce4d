"""Texts with exactly so many tokens: words of one token each for the model that is measured."""

import random

import requests
from measurement import LoadError

HTTP_SECONDS_MAX = 60.0
# Each of them with a space before it is one token for SmolLM2; `check` makes sure.
TEXT = """
river house time people water light story world music garden paper friend city morning winter
summer bread green black white small large early late young north south east west stone wood
metal glass door window table chair street market school letter number answer question reason
nature animal horse bird fish tree flower field forest island ocean mountain valley bridge road
train ship captain doctor teacher farmer writer king queen child mother father brother sister
family village country language history science art book page line word voice sound color shape
heart hand head face eye foot body mind idea thought dream hope fear love anger peace war work
play game song dance food fruit salt sugar milk coffee tea wine meat rice corn
"""
WORDS = TEXT.split()


def words(seed: str, count: int) -> str:
    """So many words, the same for the same seed, each with a space before it."""
    generator = random.Random(seed)
    return "".join(f" {generator.choice(WORDS)}" for _ in range(count))


def prompt(prefix_tokens: int, tokens: int, seed: str) -> str:
    """A text of so many tokens, of which the first ones are everybody's."""
    return words("everybody", prefix_tokens) + words(seed, tokens - prefix_tokens)


def check(name: str, address: str, model: str) -> None:
    """Raise unless a server cuts the texts into as many tokens as they are meant to have."""
    every_word = "".join(f" {word}" for word in WORDS)
    for text, count in [(every_word, len(WORDS)), (prompt(64, 2000, "check"), 2000)]:
        found = tokenize(address, model, text)
        if len(found) != count:
            raise LoadError(f"{name} cuts {text[:40]!r} into {len(found)} tokens, not {count}")


def tokenize(address: str, model: str, text: str) -> list[int]:
    """The numbers of a text's tokens."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"http://{address}/tokenize",
            json={"model": model, "content": text},
            timeout=HTTP_SECONDS_MAX,
        )
    answer.raise_for_status()
    tokens: list[int] = answer.json()["tokens"]
    return tokens
