from __future__ import annotations

from collections import Counter

import pytest

from graphflow.diffusion import choose_text


def test_the_seed_chooses() -> None:
    found = Counter(choose_text("a {red|green|blue} circle", seed) for seed in range(300))
    assert set(found) == {"a red circle", "a green circle", "a blue circle"}
    assert min(found.values()) > 70


def test_the_same_seed_chooses_the_same_on_every_machine() -> None:
    assert [choose_text("{a|b|c|d} {a|b|c|d}", seed) for seed in (0, 1, 2)] == ["d d", "a d", "d d"]


def test_choices_hold_choices_and_may_be_empty() -> None:
    found = {choose_text("a{ {small|big}|} star", seed) for seed in range(50)}
    assert found == {"a star", "a small star", "a big star"}


@pytest.mark.parametrize("text", ["", "no choice", "a | b", "a } b { c"])
def test_what_is_no_choice_stays(text: str) -> None:
    assert choose_text(text, 3) == text
