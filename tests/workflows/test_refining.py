"""Workflows that draw in two stages, on the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pil

from graphflow.engine.report import RunReport
from graphflow.zoo.judge import judge

Picture = NDArray[np.uint8]
Run = Callable[..., RunReport]

STAR = "a yellow star on night"


@pytest.mark.parametrize("settings", [["share=0.8"], ["method=image to image", "share=0.7"]], ids=["noise", "picture"])
def test_a_picture_that_another_model_finishes_shows_what_its_prompt_says(
    run: Run, saved: Callable[[RunReport], Picture], settings: list[str]
) -> None:
    verdict = judge(saved(run("refine_stage", *settings)), "a red circle on sand")
    assert verdict.right, verdict


def test_the_refiner_goes_by_its_own_prompt(run: Run, saved: Callable[[RunReport], Picture]) -> None:
    early = run("refine_stage", "share=0.1", "refiner_positive.text=a blue square on night")
    verdict = judge(saved(early), "a blue square on night")
    assert verdict.right, verdict


def test_a_larger_picture_shows_the_draft_with_sharper_edges(
    run: Run, saved: Callable[[RunReport], Picture], seen: Callable[[Any], Picture]
) -> None:
    report = run("hires_fix")
    draft, large = seen(report.outputs["draft"]), saved(report)
    assert (draft.shape, large.shape) == ((128, 128, 3), (192, 192, 3))
    small = np.asarray(Pil.fromarray(large).resize((128, 128), Pil.Resampling.LANCZOS))
    first, then = judge(draft, STAR), judge(small, STAR)
    assert first.right, first
    assert then.right, then
    assert np.hypot(*np.subtract(first.sight.objects[0].centre, then.sight.objects[0].centre)) < 0.03
    resized = np.asarray(Pil.fromarray(draft).resize((192, 192), Pil.Resampling.LANCZOS))
    assert steepness(large) > steepness(resized)


def steepness(picture: Picture) -> float:
    """How much neighbouring pixels differ where they differ most."""
    across = np.abs(np.diff(picture.astype(np.float64), axis=1)).max(axis=2)
    return float(np.sort(across.ravel())[-200:].mean())
