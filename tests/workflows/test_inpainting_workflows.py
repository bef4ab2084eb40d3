"""Inpainting and outpainting on the bundled model: the rest of the picture stays, and what is new is what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pil

from graphflow.app import App
from graphflow.engine.report import RunReport
from graphflow.graph import dump_document, parse_document
from graphflow.zoo.judge import judge, see
from graphflow.zoo.vocabulary import BACKGROUNDS

Run = Callable[..., RunReport]
Saved = Callable[[RunReport], NDArray[np.uint8]]

FEATHER = 4
BOX = (16, 24, 96, 104)
"""The mask of `inpaint.json` in pixels: left, top, right, bottom."""


@pytest.fixture
def original(workflows: Path) -> NDArray[np.uint8]:
    with Pil.open(workflows / "inputs" / "red_circle_on_sand.png") as picture:
        return np.array(picture.convert("RGB"))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Largest difference of the channels, pixel by pixel."""
    found: NDArray[np.int16] = np.abs(one.astype(np.int16) - other).max(axis=2)
    return found


def test_inpainting_puts_one_thing_in_the_place_of_another(run: Run, saved: Saved, original: NDArray[np.uint8]) -> None:
    picture = saved(run("inpaint"))
    verdict = judge(picture, "a blue star on sand")
    assert verdict.right, verdict
    left, top, right, bottom = BOX
    changed = difference(picture, original)
    changed[top - FEATHER : bottom + FEATHER, left - FEATHER : right + FEATHER] = 0
    assert changed.max() == 0


def test_inpainting_takes_other_prompts_and_masks(run: Run, saved: Saved) -> None:
    prompt = "a purple ring on the left on sand"
    picture = saved(
        run("inpaint", f"prompt={prompt}", "shape=ellipse", "left=0.0625", "top=0.125", "bottom=0.875", "seed=5")
    )
    verdict = judge(picture, prompt)
    assert verdict.background
    assert verdict.bound, verdict


def test_a_lower_strength_keeps_the_place(run: Run, saved: Saved, original: NDArray[np.uint8]) -> None:
    picture = saved(run("inpaint", "prompt=a green circle in the center on sand", "strength=0.75"))
    verdict = judge(picture, "a green circle on sand")
    assert verdict.right, verdict
    before = see(original).objects[0].centre
    assert np.hypot(*np.subtract(verdict.sight.objects[0].centre, before)) < 0.1


def test_outpainting_draws_beside_the_picture_and_keeps_it(run: Run, saved: Saved, original: NDArray[np.uint8]) -> None:
    picture = saved(run("outpaint"))
    assert picture.shape == (128, 192, 3)
    assert difference(picture[:, : 128 - 8], original[:, : 128 - 8]).max() == 0
    drawn = see(picture[:, 64:])
    assert ("blue", "star") in {(item.colour, item.shape) for item in drawn.objects}, drawn
    assert drawn.background == "sand"
    seam = picture[:, 118:138].astype(np.float32) - np.array(BACKGROUNDS["sand"], dtype=np.float32)
    assert np.median(np.abs(seam)) < 8


def test_outpainting_goes_to_every_side(run: Run, saved: Saved, original: NDArray[np.uint8]) -> None:
    picture = saved(run("outpaint", "right=0", "left=32", "top=16", "bottom=16", "fill=mean", "steps=4"))
    assert picture.shape == (160, 160, 3)
    assert difference(picture[24:136, 40:], original[8:120, 8:]).max() == 0


def test_a_detail_of_a_large_picture_is_drawn_at_the_models_own_size(workflows: Path, run: Run, saved: Saved) -> None:
    with Pil.open(workflows / "inputs" / "star_and_circle_on_night.png") as picture:
        before = np.array(picture.convert("RGB"))
    after = saved(run("inpaint_detail"))
    circle = np.hypot(*(np.indices(before.shape[:2]) - np.array([96 + 52, 226 + 52]).reshape(2, 1, 1) + 0.5))
    beyond = circle > 52 + 24 + 8 + 2  # the radius, what the mask was grown by, the feather, and what resizing spreads
    assert difference(after, before)[beyond].max() == 0
    part = after[48:248, 178:378]
    verdict = judge(part, "a green cross in the center on night")
    assert verdict.right, verdict


def test_the_workflow_in_the_documentation_is_in_order(app: App) -> None:
    page = (Path(__file__).parents[2] / "docs" / "inpainting.md").read_text("utf-8")
    text = page.partition("```json\n")[2].partition("```")[0]
    document = parse_document(text, label="inpainting.md")
    assert dump_document(document, app.registry) == text
    assert {finding.code for finding in app.check(document).findings} == {"missing_file"}  # the reader's own files
