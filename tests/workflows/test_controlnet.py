"""The ControlNet workflow: what it draws has the edges of its picture and the colours of its prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pil

from graphflow.app import App
from graphflow.engine.report import RunReport
from graphflow.paths import bundled
from graphflow.zoo.judge import judge
from graphflow.zoo.trials import edge_overlap

Run = Callable[..., RunReport]
Saved = Callable[[RunReport], NDArray[np.uint8]]
Seen = Callable[[Any], NDArray[np.uint8]]

PICTURE = "blue_star_on_sand.png"


@pytest.fixture(scope="module")
def star() -> NDArray[np.uint8]:
    with Pil.open(bundled("workflows") / "inputs" / PICTURE) as picture:
        return np.array(picture.convert("RGB"))


@pytest.mark.parametrize("prompt", ["a red star on night", "a yellow star on night"])
def test_another_colour_in_the_same_outline(run: Run, saved: Saved, star: NDArray[np.uint8], prompt: str) -> None:
    picture = saved(run("controlnet_canny", f"prompt={prompt}"))
    verdict = judge(picture, prompt)
    assert verdict.right, verdict
    assert edge_overlap(star, picture, slack=1) > 0.6


def test_without_the_controlnet_the_outline_is_another(run: Run, saved: Saved, star: NDArray[np.uint8]) -> None:
    steered, free = (saved(run("controlnet_canny", f"strength={strength}", "seed=4")) for strength in (1, 0))
    assert edge_overlap(star, steered, slack=1) > edge_overlap(star, free, slack=1) + 0.3


def test_the_edges_are_an_output_too(run: Run, seen: Seen) -> None:
    edges = seen(run("controlnet_canny", "steps=1").outputs["edges"])
    assert edges.shape == (128, 128, 3)
    assert set(np.unique(edges)) == {0, 255}
    assert 0.005 < (edges > 0).mean() < 0.1


def test_opencv_draws_its_own_edges(run: Run, seen: Seen) -> None:
    edges = [
        seen(run("controlnet_canny", "steps=1", f"method={method}", "low=0.4", "high=0.8").outputs["edges"])
        for method in ("kornia", "opencv")
    ]
    assert all(each.any() for each in edges)
    assert not np.array_equal(*edges)


def test_a_strange_controlnet_is_named(app: App, workflows: Path) -> None:
    report = app.run(app.prepare(workflows / "controlnet_canny.json", ["controlnet=tiny-sd"]))
    assert report.status == "failed"
    assert 'tiny-sd" holds text_encoder and unet and vae, but no controlnet' in str(report.failures)
