"""Texts with choices: `a {red|blue} circle`. Imports no torch."""

from __future__ import annotations

import random
import re

_INNERMOST = re.compile(r"\{([^{}]*)\}")


def choose_text(text: str, seed: int) -> str:
    """The text with one of each choice, by the seed; inner choices are made first, and a brace without its other half is text."""
    generator = random.Random(seed)

    def one_of(match: re.Match[str]) -> str:
        choices = match[1].split("|")
        # Only `random()` itself draws the same numbers in every version of Python.
        return choices[int(generator.random() * len(choices))]

    count = 1
    while count:
        text, count = _INNERMOST.subn(one_of, text)
    return text
