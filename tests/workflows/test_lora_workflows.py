"""The LoRA workflows: hearts with it, none without, and in between by strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphflow.engine.report import RunReport
from graphflow.zoo.judge import judge
from graphflow.zoo.trials import shows_heart

Run = Callable[..., RunReport]
Saved = Callable[[RunReport], NDArray[np.uint8]]
Seen = Callable[[Any], NDArray[np.uint8]]


@pytest.mark.parametrize(
    "prompt", ["a red heart on sand", "a white heart on night", "a blue heart in the center on gray"]
)
def test_the_lora_teaches_hearts(run: Run, saved: Saved, prompt: str) -> None:
    assert judge(saved(run("lora", f"prompt={prompt}")), prompt).right
    assert not shows_heart(saved(run("lora", f"prompt={prompt}", "lora_strength=0")), prompt)


def test_what_the_model_knew_it_still_knows(run: Run, saved: Saved) -> None:
    prompt = "a yellow star on night"
    assert judge(saved(run("lora", f"prompt={prompt}")), prompt).right


def test_without_strength_the_picture_is_the_bare_models(run: Run, saved: Saved) -> None:
    values = ("prompt=a green ring on sky", "seed=3", "steps=4")
    bare = saved(run("text_to_image", *values))
    assert np.array_equal(saved(run("lora", "lora_strength=0", *values)), bare)
    assert not np.array_equal(saved(run("lora", *values)), bare)


def test_lora_grid_has_a_row_for_each_prompt_and_a_column_for_each_strength(run: Run, saved: Saved, seen: Seen) -> None:
    prompts = ("a red heart on sand", "a red circle on sand")
    report = run("lora_grid", f'prompts=["{prompts[0]}", "{prompts[1]}"]', "lora_strengths=[0, 1]")
    pictures = [seen(picture) for picture in report.outputs["pictures"]]
    assert [shows_heart(picture, prompts[0]) for picture in pictures] == [False, True, False, False]
    assert judge(pictures[2], prompts[1]).right
    assert judge(pictures[3], prompts[1]).right
    grid = saved(report)
    assert grid.shape[0] > 2 * 128
    assert grid.shape[1] > 2 * 128
