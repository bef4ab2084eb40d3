"""Each workflow runs on the bundled model, and the judge looks at what it made."""

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
from graphflow.zoo.judge import Verdict, judge

Run = Callable[..., RunReport]
Saved = Callable[[RunReport], NDArray[np.uint8]]
Seen = Callable[[Any], NDArray[np.uint8]]


def test_text_to_image_shows_what_its_prompt_says(run: Run, saved: Saved) -> None:
    picture = saved(run("text_to_image"))
    assert picture.shape == (128, 128, 3)
    assert_right(judge(picture, "a red circle on sand"))


@pytest.mark.parametrize("prompt", ["a yellow star on night", "a big green ring on sky", "a purple cross on gray"])
def test_another_prompt_gives_another_picture(run: Run, saved: Saved, prompt: str) -> None:
    assert_right(judge(saved(run("text_to_image", f"prompt={prompt}")), prompt))


def test_a_saved_picture_runs_again(app: App, run: Run) -> None:
    first = run("text_to_image", "seed=11", "steps=4")
    picture = app.artifacts.path(first.outputs["image"].name)
    again = app.run(app.prepare(picture))
    assert again.executed == 0
    assert again.outputs["image"].digest == first.outputs["image"].digest


def test_a_batch_gives_several_pictures(app: App, run: Run) -> None:
    report = run("text_to_image", "batch=3", "steps=4")
    assert len({artifact.path for artifact in report.artifacts}) == 3


def test_image_to_image_changes_the_colour_and_keeps_the_place(workflows: Path, run: Run, saved: Saved) -> None:
    report = run("image_to_image")
    verdict = judge(saved(report), "a blue circle on sand")
    assert_right(verdict)
    with Pil.open(workflows / "inputs" / "red_circle_on_sand.png") as picture:
        before = judge(np.array(picture.convert("RGB")), "a red circle on sand")
    assert np.hypot(*np.subtract(verdict.sight.objects[0].centre, before.sight.objects[0].centre)) < 0.15


def test_prompt_grid_has_a_row_for_each_prompt_and_a_column_for_each_seed(run: Run, saved: Saved, seen: Seen) -> None:
    prompts = ["a red circle on sand", "a yellow star on night", "a big green ring on sky", "a purple cross on gray"]
    report = run("prompt_grid")
    pictures = [seen(picture) for picture in report.outputs["pictures"]]
    verdicts = [judge(picture, prompts[at // 3]) for at, picture in enumerate(pictures)]
    assert len(verdicts) == 12
    assert sum(verdict.bound for verdict in verdicts) >= 10
    assert len({picture.tobytes() for picture in pictures}) == 12
    grid = saved(report)
    assert grid.shape[0] > 4 * 128
    assert grid.shape[1] > 3 * 128


def test_prompt_grid_takes_other_prompts(run: Run, seen: Seen) -> None:
    report = run("prompt_grid", 'prompts=["a blue square on sand", "a white triangle on night"]', "seeds=2", "seed=20")
    pictures = report.outputs["pictures"]
    assert len(pictures) == 4
    assert sum(judge(seen(p), "a blue square on sand").bound for p in pictures[:2]) >= 1
    assert sum(judge(seen(p), "a white triangle on night").bound for p in pictures[2:]) >= 1


def test_a_picture_looks_the_same_in_a_grid_and_by_itself(run: Run, saved: Saved, seen: Seen) -> None:
    in_grid = run("prompt_grid", 'prompts=["a red circle on sand", "a yellow star on night"]', "seed=5", "steps=3")
    alone = run("text_to_image", "prompt=a yellow star on night", "seed=6", "steps=3")
    assert np.array_equal(seen(in_grid.outputs["pictures"][4]), saved(alone))


def test_xy_compare_varies_guidance_down_and_steps_across(run: Run, saved: Saved, seen: Seen) -> None:
    report = run("xy_compare", "guidances=[1, 7]", "steps=[4, 12, 20]")
    pictures = [seen(picture) for picture in report.outputs["pictures"]]
    assert len({picture.tobytes() for picture in pictures}) == 6
    assert_right(judge(pictures[5], "a yellow star on night"))
    whole = seen(
        run("parts/prompt_to_picture", "prompt=a yellow star on night", "guidance=7", "seed=6", "steps=12").outputs[
            "image"
        ]
    )
    assert np.array_equal(pictures[4], whole)
    assert saved(report).shape[1] > 3 * 128


def test_subgraph_shows_both_pictures(run: Run, saved: Saved, seen: Seen) -> None:
    report = run("subgraph", "right=a blue square on sand")
    assert_right(judge(seen(report.outputs["left"]), "a red circle on sand"))
    assert_right(judge(seen(report.outputs["right"]), "a blue square on sand"))
    assert saved(report).shape[1] > 2 * 128


def test_a_part_equals_the_whole(run: Run, saved: Saved, seen: Seen) -> None:
    whole = saved(run("text_to_image", "seed=3", "steps=6"))
    part = seen(run("parts/prompt_to_picture", "seed=3", "steps=6").outputs["image"])
    assert np.array_equal(whole, part)


def assert_right(verdict: Verdict) -> None:
    assert verdict.right, verdict
